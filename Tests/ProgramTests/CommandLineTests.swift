import Lab
import Testing

/// Command lines: what is wrong is said in few words, and begins as every other error does.
@Suite struct CommandLineTests {
  /// A command line that is wrong, and what is said of it.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let program: String
    let arguments: [String]
    let error: String

    var testDescription: String { ([program] + arguments).joined(separator: " ") }
  }

  static let mistakes = [
    Mistake(program: "runpipe", arguments: [], error: "Missing expected argument '<port>'"),
    Mistake(program: "runpipe", arguments: ["80"], error: "Missing expected argument '<host>'"),
    Mistake(
      program: "runpipe", arguments: ["80", "h", "--layer=l3"], error: "Unknown option '--layer'"),
    Mistake(program: "runmonitor", arguments: ["--once"], error: "Unknown option '--once'"),
    Mistake(
      program: "runmonitor", arguments: ["--bandwith"],
      error: "Unknown option '--bandwith'. Did you mean '--bandwidth'?"),
    Mistake(
      program: "runaggregator", arguments: ["--count", "payload"],
      error: "The value 'payload' is invalid for '--count <n>'"),
    Mistake(
      program: "runmonitor", arguments: ["--count", "0"], error: "--count must be at least 1."),
    Mistake(
      program: "runmonitor", arguments: ["--interval", "1ms"],
      error: "--interval must be between 0.01 and 86400 seconds."),
    Mistake(
      program: "runaggregator", arguments: ["--interval", "1d"],
      error:
        "The value '1d' is invalid for '--interval <seconds>': write a time such as 10, 0.5, 500ms, 5m or 1h"),
    Mistake(
      program: "runpipe", arguments: ["80", "h", "--max-conn", "-1"],
      error: "The value '-1' is invalid for '--max-conn <n>': it is negative"),
    Mistake(
      program: "runpipe", arguments: ["80", "h", "--max-conn", "--full"],
      error: "Missing value for '--max-conn <n>'"),
    Mistake(
      program: "netconnmon", arguments: ["-t", "-0.5"],
      error: "The value '-0.5' is invalid for '-t': it is negative"),
    Mistake(program: "runpipe", arguments: ["--wrongflag=1"], error: "Unknown option '--wrongflag'"),
    Mistake(program: "runpipe", arguments: ["--limit", "5k"], error: "Missing expected argument '<port>'"),
    Mistake(program: "connvitals", arguments: ["--wrongflag"], error: "Unknown option '--wrongflag'"),
    Mistake(
      program: "runpipe", arguments: ["80", "h", "--fin-timeout", "0"],
      error: "--fin-timeout must be between 0.01 and 31536000 seconds."),
    Mistake(
      program: "runaggregator", arguments: ["--drain-timeout", "25h"],
      error: "--drain-timeout must be between 0 and 86400 seconds."),
    Mistake(
      program: "netconnmon", arguments: ["-i", "9ms"],
      error: "--interval must be between 0.01 and 86400 seconds."),
    Mistake(
      program: "netconnmon", arguments: ["-i", "0", "-t", "1ms"],
      error: "--timeout must be between 0.01 and 86400 seconds."),
    Mistake(
      program: "netconnmon", arguments: ["-a", "8.8.8.8:53"],
      error: "8.8.8.8:53 names a port: write the host alone."),
    Mistake(
      program: "netconnmon", arguments: ["-p53", "-a8.8.8.8:53"],
      error: "8.8.8.8:53 names a port: write the host alone."),
    Mistake(
      program: "connvitals", arguments: ["-H3", "-px", "127.0.0.1"],
      error: "The value 'x' is invalid for '-p <n>'"),
    // As the original takes them: -j -t -p2x.
    Mistake(
      program: "connvitals", arguments: ["-jtp2x", "127.0.0.1"],
      error: "The value '2x' is invalid for '-p <n>'"),
    Mistake(
      program: "connvitals", arguments: ["-jp", "2y", "127.0.0.1"],
      error: "The value '2y' is invalid for '-p <n>'"),
    Mistake(
      program: "netconnmon", arguments: ["--spool", "here"],
      error: "--spool must be an absolute path, as /var/lib/bwmon/netconnmon."),
    Mistake(
      program: "netconnmon", arguments: ["-p", "0"],
      error: "8.8.8.8 has port 0: a port is between 1 and 65535."),
    Mistake(
      program: "netconnmon", arguments: ["-m=-1"],
      error: "--min-interruption must be between 0 and 31536000 seconds."),
    Mistake(
      program: "tstat_send", arguments: ["--directory", "/x", "--wrongflag"],
      error: "Unknown option '--wrongflag'"),
    Mistake(
      program: "tstat_cull", arguments: ["--directory", "/x", "--wrongflag"],
      error: "Unknown option '--wrongflag'"),
    Mistake(program: "connvitals", arguments: ["h", "--wrongflag"], error: "Unknown option '--wrongflag'"),
    Mistake(program: "connmonitor", arguments: ["--wrongflag"], error: "Unknown option '--wrongflag'"),
  ]

  @Test(arguments: mistakes)
  func `a wrong command line is an error and two lines of usage`(mistake: Mistake) async throws {
    let child = try ChildProcess([Program.path(mistake.program)] + mistake.arguments)
    #expect(try await child.ended() == .exited(64))
    let lines = child.errors.lines
    #expect(lines.first == "\(mistake.program): error: \(mistake.error)")
    #expect(lines.count == 3)
    #expect(lines.dropFirst().first?.hasPrefix("Usage: \(mistake.program) ") == true, "\(lines)")
    #expect(lines.last == "  See '\(mistake.program) --help' for more information.")
    #expect(child.output.text.isEmpty)
  }

  @Test(arguments: ["runmonitor", "runpipe", "runaggregator", "netconnmon", "tstat_send", "tstat_cull"])
  func `the version is an answer and no error`(program: String) async throws {
    let child = try ChildProcess([Program.path(program), "--version"])
    #expect(try await child.ended() == .exited(0))
    #expect(child.output.text == "bwmon 2.0.0\n" && child.errors.text.isEmpty)
  }

  @Test(arguments: programs, ["--help", "--version"])
  func `an answer that cannot be written is an error, one that nobody reads is none`(
    program: String, flag: String
  ) async throws {
    let full = try ChildProcess(["sh", "-c", "exec \"$0\" \(flag) >/dev/full", Program.path(program)])
    #expect(try await full.ended() == .exited(75))
    #expect(full.errors.lines.count == 1)
    #expect(full.errors.text.hasPrefix("\(program): error: writing to standard output: No space left"))
    let unread = try ChildProcess([Program.path(program), flag], output: .brokenPipe)
    #expect(try await unread.ended() == .exited(0))
    #expect(unread.errors.text.isEmpty)
  }

  private static let programs = [
    "runmonitor", "runpipe", "runaggregator", "connvitals", "connmonitor", "netconnmon", "tstat_send",
    "tstat_cull",
  ]

  /// A way in which programs end.
  struct Ending: Sendable, CustomTestStringConvertible {
    let command: [String]
    let status: Int32

    var testDescription: String { command.joined(separator: " ") }
  }

  static let endings =
    programs.flatMap {
      [Ending(command: [$0, "--version"], status: 0), Ending(command: [$0, "--no-such-flag"], status: 64)]
    } + [
      Ending(command: ["runmonitor", "--doctor", "--source", "nothing"], status: 64),
      Ending(command: ["runaggregator", "--check-config", "--app-config", "group.cfg"], status: 0),
      Ending(command: ["connvitals", "--port-scan", "127.0.0.1"], status: 0),
      Ending(command: ["tstat_cull", "-d", "."], status: 0),
      Ending(command: ["tstat_send", "-d", ".", "-c", "none"], status: 78),
    ]

  /// A thread that is about to go may still use what such a handler frees, as that of OpenSSL does.
  @Test(arguments: endings)
  func `a program ends without what libraries registered for its end`(ending: Ending) async throws {
    let folder = try ScratchFolder()
    let source = try folder.write(
      """
      #include <stdlib.h>
      static void end(void) { abort(); }
      __attribute__((constructor)) static void start(void) { atexit(end); }
      """, to: "end.c")
    try folder.write("[web]\nname_re=nginx\n", to: "group.cfg")
    let library = "\(folder.path)/end.so"
    try await run(["cc", "-shared", "-fPIC", "-o", library, source])
    let child = try ChildProcess(
      ["env", "-C", folder.path, "LD_PRELOAD=\(library)", Program.path(ending.command[0])]
        + ending.command.dropFirst())
    #expect(try await child.ended() == .exited(ending.status), "\(child.errors.text)")
  }

  /// What lives shortly is in the report of its last bytes; the lines do not grow with each of them.
  @Test(arguments: ["runmonitor", "runaggregator"])
  func `what has ended becomes a sum`(program: String) async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    let reporter = try Reporter(
      program == "runaggregator" ? ["--auto-group"] : [], program: program, interval: "50ms", in: namespace,
      allRows: false)
    let first = try await reporter.report("a first report")
    #expect(first.version == "2.0.0" && !first.host.isEmpty)
    #expect(first.ended == Report.Ended(rows: 0, received: 0, sent: 0))
    // Each lives until its bytes have a row, whoever looks when.
    for port in [7301, 7302, 7303] {
      let sender = try namespace.start([
        "python3", "-c",
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x' * 1000, ('127.0.0.1', \(port))); "
          + "print('sent', flush=True); input()",
      ])
      try await reporter.report("its row") { report in
        report.rows.contains { $0.pid == sender.pid || $0.pids?.contains(sender.pid) == true }
      }
      sender.write("\n")
      #expect(try await sender.ended() == .exited(0))
    }
    let report = try await reporter.report("all three in the sum") { report in
      report.ended.sent == 3 * 1028 && report.rows.allSatisfy { $0.kind == "remainder" }
    }
    // `rows` is without what is not tracked, which is in no total.
    let total = report.balance.total.view
    #expect(total.sent >= 3 * 1028)
    #expect(report.rows.reduce(report.ended.received) { $0 + $1.usage.received } == total.received)
    #expect(report.rows.reduce(report.ended.sent) { $0 + $1.usage.sent } == total.sent)
    try await reporter.stop()
  }
}
