import Lab
import Testing

/// The original's filters: shown if any include matches, or none is given, and no exclude does.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorFilterTests {
  /// Flags, and which of the processes named red, green and blue they show.
  struct Row: Sendable, CustomTestStringConvertible {
    let flags: [String]
    let shown: Set<String>

    var testDescription: String { flags.joined(separator: " ") }
  }

  static let rows = [
    Row(flags: [], shown: ["red", "green", "blue"]),
    Row(flags: ["--include", "red"], shown: ["red"]),
    Row(flags: ["--include=red"], shown: ["red"]),
    Row(flags: ["--include", "red", "--include=gr.*n"], shown: ["red", "green"]),
    Row(flags: ["--exclude", "red"], shown: ["green", "blue"]),
    Row(flags: ["--exclude=red", "--exclude", "note blue"], shown: ["green"]),
    Row(flags: ["--include", "--note (red|blue)", "--exclude", "blue$"], shown: ["red"]),
    Row(flags: ["--include", "-note"], shown: ["red", "green", "blue"]),
    Row(flags: ["--include", "no such process"], shown: []),
    Row(flags: ["--exclude", ""], shown: []),
    Row(flags: ["--include", "(?i)RED"], shown: ["red"]),
  ]

  @Test(arguments: rows)
  func `include and exclude choose the rows, not the balance`(row: Row) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    var clients = [String: Traffic]()
    for color in ["red", "green", "blue"] {
      clients[color] = try Traffic("tcp 10.77.1.2 \(port) --send 100000 --hold --note \(color)", in: lab.a)
      _ = try await clients[color]?.counted()
    }
    let truth = try await lab.viewOfA()
    let monitor = try Reporter(row.flags, in: lab.a)
    let report = try await monitor.report("\(truth) in all") { $0.balance.attributed.view == truth }
    for (color, client) in clients {
      #expect((report.usage(pid: client.pid).sent > 100_000) == row.shown.contains(color), "\(color)")
    }
    #expect(report.rows.count == row.shown.count)
    try await monitor.stop()
    for client in clients.values { try await client.finish() }
    try await server.finish()
  }

  /// The only report is the last one.
  @Test(arguments: ["runmonitor", "runaggregator"])
  func `one report says that nothing is found`(program: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic("tcp 10.77.1.2 \(try await server.ready()) --send 100000 --hold", in: lab.a)
    _ = try await client.counted()
    let folder = try ScratchFolder()
    let monitors = try folder.write("[m]\ntype=monitor\ninclude=no such process\n", to: "monitors.cfg")
    let isMonitor = program == "runmonitor"
    let reporter = try Reporter(
      (isMonitor ? ["--include", "no such process"] : ["--monitor-config", monitors]) + ["--count", "1"],
      program: program, in: lab.a)
    #expect(try await reporter.process.ended() == .exited(0))
    let codes = reporter.process.output.lines.compactMap {
      $0.firstMatch(of: #/"code":"(include_finds_nothing)"/#).map { String($0.output.1) }
    }
    let reports = try reporter.reports()
    #expect(codes.count == 1 && reports.count == 1, "\(reporter.state)")
    let option = isMonitor ? "--include" : "include="
    #expect(reporter.process.errors.text.contains("that \(option) finds"))
    try await client.finish()
    try await server.finish()
  }
}
