import Foundation
import Lab
import Testing

/// P25: the end and the restart.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeDrainTests {
  @Test func `SIGTERM lets a transfer end whole and takes nobody new`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--drain-timeout", "3600"], in: lab.a)
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    pipe.process.signal(SIGTERM)
    let seen = peer.process.output.lines.count
    try await PipePeer.refused(in: lab.a)
    _ = try await eventually("more bytes") { peer.process.output.lines.count > seen + 20 ? true : nil }
    #expect(pipe.process.status == nil)
    let total = try #require(UInt64(try await peer.finished().split(separator: "\n").last ?? ""))
    #expect(try await pipe.process.ended() == .exited(0))
    #expect(try pipe.reports().last?.pipe?.usage == HostView(received: total, sent: 0))
  }

  @Test func `what has not ended in time is cut, with another exit status`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--drain-timeout", "0.5"], in: lab.a)
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    #expect(try await pipe.process.stop() == .exited(75))
    #expect(try await peer.process.ended() != .exited(0))
    #expect(
      pipe.process.errors.lines == [
        "runpipe: waits up to 0.5 s for the end of 1 open connection, and takes no new ones; another signal cuts them",
        "runpipe: cut 1 open connection",
      ])
  }

  @Test(arguments: ["runpipe", "runaggregator"])
  func `what the last of --count reports cuts is said`(program: String) async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write("[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n", to: "monitors")
    let flags =
      program == "runpipe" ? ["8080", "127.0.0.1", "9000"] : ["--monitor-config", "\(folder.path)/monitors"]
    // On a slow machine the reports may be over before the peer has connected: then there are more of them.
    for count in [30, 300, 3000] {
      let pipe = try Reporter(flags + ["--count", "\(count)"], program: program, in: lab.a)
      try await pipe.report("a first report")
      let peer = try PipePeer("drip", ["1000"], in: lab.a)
      let isOpen = try await eventually("an open connection, or the last report") {
        if peer.process.output.lines.contains(where: { $0.hasPrefix("open") }) { return true }
        return pipe.process.status == nil ? nil : false
      }
      #expect(try await pipe.process.ended() == .exited(0))
      peer.process.signal(SIGKILL)
      guard isOpen || count == 3000 else { continue }
      let lines = pipe.process.errors.lines
      #expect(lines.last == "\(program): cut 1 open connection", "\(pipe.process.errors.text)")
      return
    }
  }

  @Test func `without a descriptor left it drains all the same`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--drain-timeout", "3600"], in: lab.a)
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    try await run("prlimit --pid \(pipe.process.pid) --nofile=4:4")
    pipe.process.signal(SIGTERM)
    try await PipePeer.refused(in: lab.a)
    let seen = peer.process.output.lines.count
    _ = try await eventually("more bytes") { peer.process.output.lines.count > seen + 20 ? true : nil }
    try await peer.finished()
    #expect(try await pipe.process.ended() == .exited(0), "\(pipe.process.errors.text)")
  }

  @Test func `SIGINT ends at once, with a last report`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(in: lab.a)
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    _ = try await eventually("some bytes") { peer.process.output.lines.count > 3 ? true : nil }
    #expect(try await pipe.process.stop(SIGINT) == .exited(0))
    #expect(try await peer.process.ended() != .exited(0))
    let delivered = try #require(peer.process.output.lines.compactMap { UInt64($0) }.last)
    #expect(try #require(try pipe.reports().last?.pipe).received >= delivered)
  }

  @Test func `a second SIGTERM ends the drain`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--drain-timeout", "3600"], in: lab.a)
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    pipe.process.signal(SIGTERM)
    let count = try pipe.reports().count
    try await pipe.report("reports while it drains") { _ in (try? pipe.reports().count) ?? 0 > count + 3 }
    #expect(try await pipe.process.stop() == .exited(75))
    peer.process.signal(SIGKILL)
  }

  @Test(arguments: ["runpipe", "runaggregator"])
  func `draining rests while nobody reads the reports`(program: String) async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write("[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n", to: "monitors")
    let flags =
      program == "runpipe" ? ["8080", "127.0.0.1", "9000"] : ["--monitor-config", "\(folder.path)/monitors"]
    // The reader is a process of its own, which says who it is.
    let reader = #"exec "$@" > >(echo "reader $BASHPID" >&2; exec cat > /dev/null)"#
    let pipe = try Reporter(
      flags + ["--drain-timeout", "3600"], program: program, in: lab.a,
      wrapper: ["bash", "-c", reader, "bash"])
    let pid = try await pipe.process.errors.first("the reader") {
      $0.hasPrefix("reader ") ? pid_t($0.dropFirst(7)) : nil
    }
    _ = try await eventually("a listener") {
      try await lab.a.run("ss -ltnH").contains(":8080") ? true : nil
    }
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    pipe.process.signal(SIGTERM)
    try await PipePeer.refused(in: lab.a)
    kill(pid, SIGKILL)
    // Its files are closed before it is a zombie; nobody waits for it.
    try await eventually("the reader's end") {
      ThreadStates.of(pid).values.allSatisfy { $0 == "Z" } ? () : nil
    }
    let seen = peer.process.output.lines.count
    _ = try await eventually("more bytes") { peer.process.output.lines.count > seen + 80 ? true : nil }
    // A thread that goes round and round is never seen asleep ten times in a row, however slow or busy the machine is.
    var asleep: [String: Int] = [:]
    try await eventually("all threads asleep", state: { "\(asleep)" }) {
      asleep = ThreadStates.of(pipe.process.pid).reduce(into: [:]) { counts, thread in
        let before = asleep[thread.key, default: 0]
        counts[thread.key] = before >= 10 ? before : thread.value == "S" ? before + 1 : 0
      }
      return !asleep.isEmpty && asleep.values.allSatisfy { $0 >= 10 } ? () : nil
    }
    try await peer.finished()
    #expect(try await pipe.process.ended() == .exited(0))
  }

  @Test func `a restart under socket activation refuses nobody`() async throws {
    let lab = try Laboratory.topology
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let holder = try PipePeer(
      "activate", target: "-", [Program.path("runpipe"), "8080", "127.0.0.1", "9000", "--format", "plain"],
      in: lab.a)
    try await holder.said("ready")
    let client = try PipePeer("ask", target: "-", in: lab.a)
    try await client.said("started")
    for run in 1...3 {
      let pid = try await eventually("run \(run)") {
        holder.process.output.lines.compactMap { pid_t($0) }.dropFirst(run - 1).first
      }
      // It serves: what it took over is its listener.
      try await PipePeer.run("ask", target: "-", ["5"], in: lab.a)
      if run == 3 { try await client.finished() }
      kill(pid, SIGTERM)
    }
    try await holder.said("done")
    try await holder.finished()
  }

  @Test(arguments: [true, false])
  func `a reader that goes away ends it quietly, and so does none at all`(isClosed: Bool) async throws {
    let lab = try Laboratory.topology
    let program = try lab.a.start(
      [Program.path("runpipe"), "8080", "127.0.0.1", "9000", "--format", "json", "--interval", "0.1"],
      output: isClosed ? .closed : .brokenPipe)
    #expect(try await program.ended() == .exited(0))
    #expect(program.errors.text == "")
  }

  @Test func `as many reports as were wanted, and none more`() async throws {
    let lab = try Laboratory.topology
    let text = try await lab.a.run([
      Program.path("runpipe"), "8080", "127.0.0.1", "9000", "--format", "json", "--interval", "0.05",
      "--count", "2",
    ])
    #expect(text.split(separator: "\n").count == 2)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal makes one last report`(signal: Int32) async throws {
    let lab = try Laboratory.topology
    // No report comes before the signal.
    let program = try lab.a.start([
      Program.path("runpipe"), "8080", "127.0.0.1", "9000", "--format", "json", "--interval", "3600",
    ])
    _ = try await eventually("a listener") {
      try await lab.a.run("ss -ltnH").contains(":8080") ? true : nil
    }
    #expect(try await program.stop(signal) == .exited(0))
    #expect(program.output.lines.count == 1)
  }

  @Test func `the plain line is the predecessor's`() async throws {
    let lab = try Laboratory.topology
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let program = try lab.a.start(
      [Program.path("runpipe"), "8080", "127.0.0.1", "9000", "--interval", "0.1"])
    _ = try await eventually("a listener") {
      try await lab.a.run("ss -ltnH").contains(":8080") ? true : nil
    }
    try await PipePeer.run("ask", target: "-", ["3"], in: lab.a)
    // A report may come between the question and the answer.
    let line = "        24 /         24 -- pipe-8080:127.0.0.1:9000"
    try await program.output.first("a line of all") { $0 == line ? () : nil }
    #expect(try await program.stop() == .exited(0))
  }
}

/// What the threads of a process do.
private enum ThreadStates {
  /// The state of each thread that has not ended, by its identifier: a letter of proc_pid_stat(5).
  static func of(_ process: pid_t) -> [String: Substring] {
    let folder = "/proc/\(process)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return threads.reduce(into: [:]) { states, thread in
      let stat = try? String(contentsOfFile: "\(folder)/\(thread)/stat", encoding: .utf8)
      states[thread] = stat?.split(separator: ")").last?.split(separator: " ").first
    }
  }
}
