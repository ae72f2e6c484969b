import Foundation
import Glibc
import Lab
import Testing

/// A reader of the reports that does not read, for as long as it likes: nothing else waits for it.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct SlowReaderTests {
  /// A program that writes to a pipe, and its reader, which does not read until it is told to.
  private struct Reading {
    let program: ChildProcess
    let reader: ChildProcess
    private let folder: ScratchFolder
    private var path: String { "\(folder.path)/pipe" }

    init(_ command: [String], in host: NetworkNamespace) async throws {
      folder = try ScratchFolder()
      try await run(["mkfifo", "\(folder.path)/pipe"])
      reader = try ChildProcess([
        "sh", "-c", "exec 3<\"$0\"; read -r line; exec cat <&3", "\(folder.path)/pipe",
      ])
      program = try host.start(["sh", "-c", "exec \"$@\" >\(folder.path)/pipe", "sh"] + command)
    }

    /// Waits until the pipe takes nothing more.
    func fill() async throws {
      // Its reader must have opened it.
      let end = try await eventually("a reader") {
        let end = unsafe open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        return end < 0 ? nil : end
      }
      defer { close(end) }
      try await eventually("a full pipe", state: { program.errors.text }) {
        var state = pollfd(fd: end, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&state, 1, 0) == 0 ? () : nil
      }
    }

    /// Lets the reader read, or stops it.
    func read() {
      reader.write("\n")
      reader.signal(SIGCONT)
    }
    func pause() { reader.signal(SIGSTOP) }

    /// All whole reports that were read.
    func reports() throws -> [Report] {
      // The last line may be on its way.
      try reader.output.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        .compactMap { try Report(line: String($0)) }
    }

    func stop() async throws {
      #expect(try await program.stop() == .exited(0), "\(program.errors.text)")
      _ = try await reader.ended()
    }
  }

  @Test func `a reader that does not read delays neither pipes nor commands`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    let monitors = try folder.write(
      "[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n[m]\ntype=monitor\n", to: "monitors")
    let limits = try folder.write(
      "[much]\nprocess_filter=^pipe-8080\nin_threshold=1\ninterval=1\non_resolve=yes\n"
        + "notification_command=sh -c 'echo $BWMON_STATE >>\(folder.path)/said'\n", to: "limits")
    let reading = try await Reading(
      [
        Program.path("runaggregator"), "--format", "json", "--interval", "0.02", "--no-namespaces",
        "--monitor-config", monitors, "--notification-config", limits,
      ], in: lab.a)
    try await reading.fill()
    for round in 1...2 {
      try await PipePeer.run("transfer", ["1000000"], in: lab.a)
      // What is above its limit, and no longer: the reports that say so cannot be written yet.
      try await eventually("a command for each", state: { folder.read("said") + reading.program.errors.text })
      {
        folder.read("said").split(separator: "\n").count >= 2 * round ? () : nil
      }
    }
    #expect(try reading.reports().isEmpty)
    reading.read()
    try await eventually("all bytes in a report", state: { reading.program.errors.text }) {
      try reading.reports().contains { $0.row(named: "pipe-8080:127.0.0.1:9000")?.received == 2_000_000 }
        ? () : nil
    }
    // Each alert that a command was run for was written too.
    let said = folder.read("said").split(separator: "\n").count
    try await eventually("as many alerts") {
      reading.reader.output.text.components(separatedBy: "\"event\":\"alert\"").count > said ? () : nil
    }
    try await reading.stop()
  }

  @Test func `reports that have no room are counted in those that come later`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    var clients: [Traffic] = []
    for number in 0..<20 {
      // Each row is some kilobytes.
      let note = "\(number)" + String(repeating: "x", count: 4_000)
      clients.append(
        try Traffic(["tcp", "10.77.1.2", "\(port)", "--send", "1000", "--hold", "--note", note], in: lab.a))
      _ = try await clients.last?.counted()
    }
    let truth = try await lab.viewOfA()
    let reading = try await Reading(
      [
        Program.path("runmonitor"), "--format", "json", "--interval", "0.01", "--no-namespaces", "--all-rows",
      ], in: lab.a)
    // It reads a little, and waits ever longer.
    var commands = 1
    let last = try await eventually("reports that were left out", state: { reading.program.errors.text }) {
      try await reading.fill()
      for _ in 0..<commands { try await lab.a.run("true") }
      commands *= 2
      let length = reading.reader.output.text.utf8.count
      reading.read()
      // What waited is at most 4 MiB and one report.
      try await eventually("that it reads") {
        reading.reader.output.text.utf8.count > length + 1 << 20 ? () : nil
      }
      reading.pause()
      return try reading.reports().last { ($0.health["skipped_reports"] ?? 0) > 0 }
    }
    #expect(last.balance.total.view == truth)
    reading.read()
    try await reading.stop()
    for traffic in clients + [server] { try await traffic.finish() }
  }
}
