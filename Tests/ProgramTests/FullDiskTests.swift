import Foundation
import Glibc
import Lab
import Testing

/// What else a program does goes on while its output has no room on the disk.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct FullDiskTests {
  /// A program that writes to a disk of its own, which is full until `free`.
  private struct Program {
    let process: ChildProcess
    private let folder: ScratchFolder

    init(_ command: [String], in host: NetworkNamespace) throws {
      folder = try ScratchFolder()
      let script = """
        mount -t tmpfs -o size=8m none \(folder.path)
        cat /dev/zero >\(folder.path)/full 2>/dev/null || true
        exec "$@" >\(folder.path)/output
        """
      process = try host.start(["unshare", "-m", "sh", "-ec", script, "sh"] + command)
    }

    private var disk: String { "/proc/\(process.pid)/root\(folder.path)" }

    /// What it has written.
    var lines: [String] {
      let data = FileManager.default.contents(atPath: "\(disk)/output") ?? Data()
      return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    func free() throws { try FileManager.default.removeItem(atPath: "\(disk)/full") }

    /// Waits until it has said that it cannot write, and has gone on through so many attempts.
    func fails(_ attempts: Int) async throws {
      try await process.errors.first("the full disk; \(process.errors.text)") {
        $0.contains("writing to standard output: No space left on device. Free some space") ? () : nil
      }
      // An attempt is two calls, and no round of a loop makes eight.
      let wanted = try calls() + 8 * attempts
      try await eventually("\(attempts) attempts", state: { process.errors.text }) {
        try calls() >= wanted ? () : nil
      }
    }

    /// How often the thread that writes its output has called write(2) and the like, however that ended (proc(5)).
    private func calls() throws -> Int {
      let text = try String(contentsOfFile: "/proc/\(process.pid)/task/\(process.pid)/io", encoding: .utf8)
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("syscw:") })
      return try #require(line.split(separator: " ").last.flatMap { Int($0) })
    }

    /// Frees the disk and waits until it has said that it writes again.
    func freed() async throws {
      try free()
      try await process.errors.first("that it writes again") {
        $0.contains("standard output is written again, after ") ? () : nil
      }
    }

    /// That the disk is full is said once.
    var complaints: Int { process.errors.lines.filter { $0.contains("No space left") }.count }
  }

  private func pipe(in lab: Topology) throws -> Program {
    try Program(
      [Lab.Program.path("runpipe"), "8080", "127.0.0.1", "9000", "--format", "json", "--interval", "0.02"],
      in: lab.a)
  }

  @Test func `runpipe forwards on, and its reports come when there is room`() async throws {
    let lab = try Laboratory.topology
    let program = try pipe(in: lab)
    try await program.fails(15)
    try await PipePeer.run("transfer", ["1000000"], in: lab.a)
    #expect(program.process.status == nil && program.lines.isEmpty)
    try await program.freed()
    try await eventually("all bytes in a report") {
      try Report(line: program.lines.dropLast().last ?? "")?.balance.total.view.received == 1_000_000
        ? () : nil
    }
    // Those of before are there too, each whole.
    let reports = try program.lines.dropLast().map { try Report(line: $0) }
    #expect(reports.count > 15 && !reports.contains { $0 == nil })
    #expect(program.complaints == 1)
    #expect(try await program.process.stop() == .exited(0))
  }

  @Test func `what was never written is an error at the end, and what was cut is said`() async throws {
    let lab = try Laboratory.topology
    let program = try pipe(in: lab)
    // It listens before it reports.
    try await program.fails(1)
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let peer = try PipePeer("hold", target: "-", ["1"], in: lab.a)
    try await peer.said("open")
    #expect(try await program.process.stop(SIGINT) == .exited(75))
    #expect(program.complaints == 2 && program.process.errors.lines.last?.contains("error: ") == true)
    #expect(program.process.errors.lines.contains("runpipe: cut 1 open connection"))
  }

  @Test func `runaggregator starts and runs commands`() async throws {
    let stage = try await NotificationTests.Stage()
    let rules = try stage.rules(
      "[too much]\nprocess_filter=Drip\nout_threshold=100\ninterval=1\nnotification_command=COMMAND\n")
    let program = try Program(
      [Lab.Program.path("runaggregator"), "--format", "json", "--interval", "0.05", "--no-namespaces"]
        + rules,
      in: stage.lab.a)
    try await program.fails(15)
    let drip = try stage.drip(400)
    try await eventually("a command", state: { program.process.errors.text }) {
      try await stage.runs("firing").isEmpty ? nil : ()
    }
    #expect(program.lines.isEmpty)
    try await program.freed()
    try await eventually("the reports of before", state: { "\(program.lines.count) lines" }) {
      try program.lines.dropLast().count { try Report(line: $0) != nil } > 10 ? () : nil
    }
    #expect(program.complaints == 1)
    drip.process.signal(SIGKILL)
    #expect(try await program.process.stop() == .exited(0))
  }

  @Test func `connmonitor probes on`() async throws {
    let folder = try ScratchFolder()
    let file = try folder.write("127.0.0.1 ping=20 numpings=1 json=true\n", to: "targets")
    let host = try await NetworkNamespace()
    let program = try Program([Lab.Program.path("connmonitor"), file], in: host)
    try await program.fails(15)
    try await program.freed()
    try await eventually("records") { program.lines.count > 15 ? () : nil }
    for line in program.lines.dropLast() {
      #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any], "\(line)")
    }
    #expect(program.complaints == 1)
    #expect(try await program.process.stop() == .exited(0))
  }

  @Test func `netconnmon checks on, and its lines come when there is room`() async throws {
    let host = try await NetworkNamespace()
    let program = try Program(
      [Lab.Program.path("netconnmon"), "-a", "127.0.0.1", "-p", "7000", "-i", "0.02", "-m", "0"], in: host)
    // Nobody listens: this is the first line.
    try await program.fails(1)
    let server = try Traffic("tcp-serve --port 7000", in: host)
    _ = try await server.ready()
    try await program.freed()
    let lines = try await eventually("both changes", state: { program.lines.joined(separator: "\n") }) {
      program.lines.count >= 2 ? program.lines : nil
    }
    #expect(lines[0].contains("connectivity changed to False") && lines[1].contains("changed to True"))
    #expect(try await program.process.stop() == .exited(0))
  }

  @Test(arguments: ["runpipe 8080 127.0.0.1 9 --format json --interval 0.05", "connmonitor TARGETS"])
  func `a terminal that goes is no disk: it ends quietly`(line: String) async throws {
    let host = try await NetworkNamespace()
    let folder = try ScratchFolder()
    let file = try folder.write("127.0.0.1 ping=50 numpings=1 json=true\n", to: "targets")
    let words = line.replacing("TARGETS", with: file).split(separator: " ").map(String.init)
    let script = """
      import os, subprocess, sys
      ours, theirs = os.openpty()
      child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=theirs)
      os.close(theirs)
      os.read(ours, 1)
      os.close(ours)
      sys.exit(child.wait())
      """
    let program = try host.start(
      ["python3", "-c", script, Lab.Program.path(words[0])] + words.dropFirst())
    #expect(try await program.ended() == .exited(0))
    #expect(program.errors.text.isEmpty, "\(program.errors.text)")
  }
}
