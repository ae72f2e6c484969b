import Foundation
import Lab
import Testing

/// P19, P21 and what else goes wrong: one clear line, others unaffected, nothing left behind.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeFaultTests {
  @Test(
    arguments: [
      (["0", "host"], 64, "'<port>': it must be a number between 1 and 65535"), (["8080"], 64, "host"),
      (["65536", "host"], 64, "'65536' is invalid for '<port>': it must be a number between 1 and 65535"),
      (["8080", "a b"], 64, "host name"),
      (["8080", "host", "0"], 64, "'<remote-port>': it must be"),
      (["8080", "host", "--limit", "fast"], 64, "--limit"),
      (["8080", "host", "--limit", "0"], 64, "500k, 1.5M"),
      (["8080", "host", "--limit-in", "1X"], 64, "500k, 1.5M"),
      (["8080", "host", "--limit", "1k", "--limit-in", "1k"], 64, "--limit-in"),
      (["8080", "host", "--max-conn", "0"], 64, "--max-conn"),
      (["8080", "host", "--splice", "maybe"], 64, "--splice"),
      (["8080", "host", "--send-proxy", "v3"], 64, "--send-proxy"),
      (["8080", "host", "--bind", "eth0"], 64, "--bind"),
      (["8080", "host", "--idle-timeout", "0"], 64, "--idle-timeout"),
      (["8080", "host", "--threads", "0"], 64, "--threads"),
      (["8080", "127.0.0.1"], 64, "forward to itself"), (["8080", "localhost"], 64, "forward to itself"),
      (["8080", "10.77.1.1"], 64, "forward to itself"),
      (["8080", "::1", "--bind", "::1"], 64, "forward to itself"),
      (["8080", "fe80::1"], 64, "link-local"), (["8080", "fe80::1%"], 64, "link-local"),
      (["8080", "::1", "--bind", "fe80::1"], 64, "link-local"),
      (["8080", "::1", "--bind", "fe80::1%nosuch"], 69, "no interface nosuch"),
      (["8080", "::1", "--bind", "[::1]"], 64, "forward to itself"), (["8080", "[::1]:80"], 64, "`80`"),
      (["8080", "127.0.0.1", "9000", "--bind", "192.0.2.1"], 69, "does not have that address"),
    ] as [([String], Int32, String)])
  func `a wrong start ends at once with one reason`(flags: [String], status: Int32, word: String) async throws
  {
    let lab = try Laboratory.topology
    let program = try lab.a.start([Program.path("runpipe")] + flags)
    #expect(try await program.ended() == .exited(status))
    #expect(program.errors.text.contains(word), "\(program.errors.text)")
    #expect(program.output.text == "")
  }

  @Test(
    arguments: [
      ("", "LISTEN_FDS=many", 78, "must be a number"), ("", "LISTEN_FDS=1025", 78, "must be a number"),
      ("", "LISTEN_FDS=1", 78, "no TCP socket"),
      ("socket.SOCK_DGRAM", "LISTEN_FDS=1", 78, "ListenStream="),
      ("socket.SOCK_STREAM", "LISTEN_FDS=1", 78, "ListenStream="),
    ] as [(String, String, Int32, String)])
  func `what systemd hands over must be listeners`(
    kind: String, announced: String, status: Int32, word: String
  ) async throws {
    let lab = try Laboratory.topology
    let script = """
      import os, socket, sys
      os.closerange(3, 20)
      if "\(kind)":
          held = socket.socket(socket.AF_INET, \(kind.isEmpty ? "0" : kind))
          held.bind(("127.0.0.1", 8080))
          os.dup2(held.fileno(), 3)
          os.set_inheritable(3, True)
      name, value = "\(announced)".split("=")
      os.environ.update({name: value, "LISTEN_PID": str(os.getpid())})
      os.execv(sys.argv[1], sys.argv[1:])
      """
    let program = try lab.a.start([
      "python3", "-c", script, Program.path("runpipe"), "8080", "127.0.0.1", "9000",
    ])
    #expect(try await program.ended() == .exited(status))
    #expect(program.errors.text.contains(word), "\(program.errors.text)")
  }

  @Test func `a port in use is said with who uses it`() async throws {
    let lab = try Laboratory.topology
    let first = try await Reporter.pipe(in: lab.a)
    let second = try lab.a.start([Program.path("runpipe"), "8080", "127.0.0.1", "9000"])
    #expect(try await second.ended() == .exited(69))
    #expect(second.errors.text.contains("cannot listen on [::]:8080: it is in use."))
    try await first.stop()
  }

  /// Root is not told to be root.
  @Test(arguments: [
    ("--reuid 65534 --clear-groups --inh-caps=-all", false), ("--inh-caps=-all --bounding-set=-all", true),
  ])
  func `a port below 1024 needs a privilege`(flags: String, isRoot: Bool) async throws {
    let lab = try Laboratory.topology
    let program = try lab.a.start(
      ["setpriv"] + flags.split(separator: " ").map(String.init) + [Program.path("runpipe"), "80", "host"])
    #expect(try await program.ended() == .exited(77))
    #expect(program.errors.text.contains("CAP_NET_BIND_SERVICE"))
    #expect(program.errors.text.contains("as root") == !isRoot, "\(program.errors.text)")
  }

  @Test func `a target that refuses, is a black hole, then answers`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--connect-timeout", "0.5"], in: lab.a)
    try await PipePeer.run("refused", target: "-", ["20"], in: lab.a)
    let line = try await pipe.process.errors.first("a line") { $0.contains("127.0.0.1:9000") ? $0 : nil }
    #expect(line.contains("cannot connect to 127.0.0.1:9000: Connection refused"))
    try await pipe.report("a failed connection") { $0.pipe?.failed == 1 && $0.pipe?.connections == 0 }
    try await Self.dropDials(in: lab.a)
    try await PipePeer.run("refused", target: "-", ["20"], in: lab.a)
    _ = try await pipe.process.errors.first("a line about the time") {
      $0.contains("no answer within 0.5 s") ? $0 : nil
    }
    try await lab.a.run("nft delete table inet hole")
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    try await PipePeer.run("ask", target: "-", ["10"], in: lab.a)
    try await pipe.stop()
  }

  @Test func `one dial that hangs does not delay the others`() async throws {
    let lab = try Laboratory.topology
    // The first connection's packets vanish, later ones' do not.
    let pipe = try await Reporter.pipe(["--connect-timeout", "20", "--threads", "1"], in: lab.a)
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    try await Self.dropDials(in: lab.a)
    let stuck = try PipePeer("refused", target: "-", ["60"], in: lab.a)
    try await pipe.report("a connection that waits") { $0.pipe?.connections == 1 }
    try await lab.a.run("nft delete table inet hole")
    try await PipePeer.run("ask", target: "-", ["20"], in: lab.a)
    stuck.process.signal(SIGKILL)
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 21 }
    try await pipe.stop()
  }

  @Test func `a name that does not resolve is a line, not an end`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(host: "does-not-exist.invalid", in: lab.a)
    try await PipePeer.run("refused", target: "-", ["20"], in: lab.a)
    _ = try await pipe.process.errors.first("a line") {
      $0.contains("cannot use does-not-exist.invalid as the target") ? $0 : nil
    }
    try await pipe.stop()
  }

  @Test func `a name is tried at all its addresses`() async throws {
    let lab = try Laboratory.topology
    // localhost is ::1 and 127.0.0.1; the server has the latter only.
    let pipe = try await Reporter.pipe(host: "localhost", in: lab.a)
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    try await PipePeer.run("ask", target: "-", ["10"], in: lab.a)
    try await pipe.stop()
  }

  @Test func `silence ends a connection when that is wanted, and says so`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--idle-timeout", "5"], in: lab.a)
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let peer = try PipePeer("hold", target: "-", ["3"], in: lab.a)
    try await peer.said("open")
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 3 }
    _ = try await pipe.process.errors.first("a line") { $0.contains("Raise --idle-timeout") ? $0 : nil }
    try await peer.finished()
    try await pipe.stop()
  }

  @Test func `an end after a long silence is not silence`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--fin-timeout", "5"], in: lab.a)
    let peer = try PipePeer("late_end", in: lab.a)
    try await peer.said("silent")
    // The timeout is longer than a busy machine needs for an answer, and by the pipe's own clock it passes.
    let seen = try pipe.reports().count
    try await eventually("a silence longer than the timeout", state: { pipe.state }) {
      let silence = try pipe.reports().dropFirst(seen + 1).compactMap(\.interval).reduce(0, +)
      return silence > 5 ? () : nil
    }
    try await peer.finished()
    #expect(!pipe.process.errors.text.contains("was silent"))
    try await pipe.stop()
  }

  @Test func `at the limit of connections clients wait for their turn`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--max-conn", "2"], in: lab.a)
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let peer = try PipePeer("hold", target: "-", ["2"], in: lab.a)
    try await peer.said("open")
    let late = try PipePeer("ask", target: "-", ["5"], in: lab.a)
    let line = try await pipe.process.errors.first("a line") { $0.contains("all 2 connections") ? $0 : nil }
    #expect(line.contains("--max-conn"))
    try await pipe.report("both connections") { $0.pipe?.connections == 2 }
    #expect(try pipe.reports().allSatisfy { $0.pipe?.connections ?? 0 <= 2 })
    try await peer.finished()
    try await late.finished()
    try await pipe.stop()
  }

  @Test func `what will go wrong is said at the start, and what was cut at the end`() async throws {
    let lab = try Laboratory.topology
    let nameless = try await Reporter.pipe(
      ["--max-conn", "2000"], host: "nosuch.invalid", in: lab.a, wrapper: ["prlimit", "--nofile=4096:4096"])
    let name = try await nameless.process.errors.first("the name") {
      $0.contains("nosuch.invalid as") ? $0 : nil
    }
    #expect(
      name.contains("Clients are refused until it has one; check the name (`getent ahosts nosuch.invalid`)."))
    // Of 4,096 descriptors 128 are others', 256 of 128 splice pipes, 3 of the listener and its name.
    let limit = try await nameless.process.errors.first("the limit") { $0.contains("2000") ? $0 : nil }
    #expect(
      limit.contains("--max-conn allows 2000 connections, but the limit of descriptors allows 1854."),
      "\(limit)")
    try await nameless.stop()
    let pipe = try await Reporter.pipe(in: lab.a)
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let peer = try PipePeer("hold", target: "-", ["2"], in: lab.a)
    try await peer.said("open")
    #expect(try await pipe.process.stop(SIGINT) == .exited(0))
    #expect(
      pipe.process.errors.lines.last == "runpipe: cut 2 open connections", "\(pipe.process.errors.text)")
  }

  @Test(arguments: [8, 10, 11, 12, 13, 14, 16, 20, 64, 160])
  func `with few descriptors the start says that these are what is missing`(count: Int) async throws {
    let lab = try Laboratory.topology
    let program = try lab.a.start([
      "prlimit", "--nofile=\(count):\(count)", Lab.Program.path("runpipe"), "8080", "127.0.0.1", "9000",
      "--interval", "0.05", "--count", "1",
    ])
    let status = try await program.ended()
    let lines = program.errors.lines
    #expect(lines.count == 1 && lines[0].contains("aise th") && lines[0].contains("LimitNOFILE="), "\(lines)")
    // 128 are others', 16 of splice pipes, 3 of the listener and its name.
    let room = max(1, (count - 147) / 2)
    let isSaid = lines[0].contains("allows only \(room) connection\(room == 1 ? "" : "s") at a time")
    #expect(lines[0].contains("Too many open files") ? status == .exited(75) : isSaid, "\(status) \(lines)")
    if count >= 64 { #expect(status == .exited(0)) }
  }

  @Test func `without descriptors it refuses politely, says so once a second, and recovers`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--max-conn", "1000"], in: lab.a)
    let before = try pipe.descriptors()
    try await run("prlimit --pid \(pipe.process.pid) --nofile=\(before + 40):\(before + 40)")
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let peer = try PipePeer("hold", target: "-", ["15"], in: lab.a)
    try await peer.said("open")
    let crowd = try (0..<40).map { _ in try PipePeer("refused", target: "-", ["60"], in: lab.a) }
    _ = try await pipe.process.errors.first("a line") {
      $0.contains("Too many open files") || $0.contains("cannot accept a connection") ? $0 : nil
    }
    for member in crowd { member.process.signal(SIGKILL) }
    try await peer.finished()
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted ?? 0 > 15 }
    let seen = try #require(try pipe.reports().last?.pipe?.accepted)
    try await PipePeer.run("ask", target: "-", ["5"], in: lab.a)
    try await pipe.report("those closed") {
      $0.pipe?.connections == 0 && $0.pipe?.accepted ?? 0 >= seen + 5
    }
    let seconds = Int(try pipe.reports().compactMap(\.interval).reduce(0, +)) + 2
    #expect(pipe.process.errors.lines.count { $0.contains("cannot accept a connection") } <= seconds)
    #expect(try pipe.descriptors() <= before + 4)
    try await pipe.stop()
  }

  @Test func `without a descriptor for the target it blames nobody else`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--max-conn", "1000"], in: lab.a)
    // Room for five connections and a half; the limit is one of numbers, of which some may be skipped.
    let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pipe.process.pid)/fd")
    let used = files.compactMap { Int($0) }
    let limit = try #require((11...).first { limit in limit - used.count { $0 < limit } == 11 })
    try await run("prlimit --pid \(pipe.process.pid) --nofile=\(limit):\(limit)")
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let peer = try PipePeer("hold", target: "-", ["5"], in: lab.a)
    try await peer.said("open")
    try await PipePeer.run("refused", target: "-", ["60"], in: lab.a)
    let line = try await pipe.process.errors.first("a line") { $0.contains("Too many open files") ? $0 : nil }
    #expect(line.contains("cannot make a socket to reach the target") && line.contains("LimitNOFILE="))
    try await peer.finished()
    try await pipe.report("none open") { $0.pipe?.connections == 0 && $0.pipe?.accepted ?? 0 > 5 }
    try await PipePeer.run("ask", target: "-", ["5"], in: lab.a)
    try await pipe.report("no failure of the target") {
      $0.pipe?.connections == 0 && $0.pipe?.accepted ?? 0 > 10 && $0.pipe?.failed == 0
    }
    try await pipe.stop()
  }

  /// Makes a black hole of the target: nothing answers.
  static func dropDials(in namespace: NetworkNamespace) async throws {
    try await namespace.nft(
      """
      table inet hole {
        chain c { type filter hook output priority 0; tcp dport 9000 tcp flags & (syn | ack) == syn drop; }
      }
      """)
  }
}
