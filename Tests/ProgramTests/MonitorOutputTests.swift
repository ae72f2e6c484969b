import Foundation
import Lab
import Testing

/// A44 and the formats: what runmonitor writes, and how it ends.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorOutputTests {
  private static let program = Program.path("runmonitor")

  /// One finished transfer of A to report, held open.
  private func withTraffic(_ body: (Topology, Traffic, HostView) async throws -> Void) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let traffic = try await TrafficKind(
      .client, "tcp-serve --send 200000", "tcp HOST PORT --send 500000 --receive 200000"
    )
    .run(in: lab)
    let truth = try await lab.viewOfA()
    try await body(lab, traffic.client, truth)
    try await traffic.finish()
  }

  @Test(arguments: [[], ["--format", "plain"]])
  func `away from a terminal the lines are the original's`(flags: [String]) async throws {
    try await withTraffic { lab, _, truth in
      let text = try await lab.a.run([Self.program, "--count", "1"] + flags)
      let line = try #require(text.split(separator: "\n").first)
      let numbers = String(format: "%10d / %10d -- ", truth.received, truth.sent)
      #expect(line.hasPrefix(numbers))
      // More than sixty characters are cut to 57 and three dots.
      #expect(line.dropFirst(numbers.count).count <= 60)
      #expect(!text.contains("\u{1b}"))
    }
  }

  @Test func `a rate is whole bytes a second`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 1000000000 --rate 1000000", in: lab.a)
    try await client.connected()
    let monitor = try lab.a.start([
      Self.program, "--no-namespaces", "--bandwidth", "--include=traffic tcp ", "--count", "4", "--interval",
      "0.5", "--format",
      "plain", "--no-lookback",
    ])
    #expect(try await monitor.ended() == .exited(0))
    let lines = monitor.output.lines.filter { !$0.isEmpty }
    let shape = #/ *(\d+) / +(\d+) -- .{1,60}/#
    let rates = try lines.map { line in
      let match = try #require(line.wholeMatch(of: shape), "\(line)")
      return try (received: #require(Double(match.1)), sent: #require(Double(match.2)))
    }
    // How fast a busy machine sends is not known; that a rate is exact is a table of the renderer's tests.
    #expect(rates.contains { $0.sent > 0 } && rates.allSatisfy { $0.sent + $0.received > 0 }, "\(rates)")
    for traffic in [client, server] { traffic.process.signal(SIGKILL) }
  }

  @Test func `JSON has every promised key`() async throws {
    try await withTraffic { lab, client, truth in
      let text = try await lab.a.run([Self.program, "--count", "2", "--interval", "0.05", "--format", "json"])
      let lines = text.split(separator: "\n").filter { !$0.contains(#""event":"warning""#) }
      #expect(lines.count == 2)
      for line in lines {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["schema"] as? Int == 1)
        #expect(object["event"] as? String == "usage")
        #expect(object["layer"] as? String == "l3")
        let time = try #require(object["time"] as? String)
        #expect(time.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/#) != nil)
        let rows = try #require(object["rows"] as? [[String: Any]])
        let row = try #require(rows.first { $0["pid"] as? Int == Int(client.pid) })
        for key in ["name", "pid", "uid", "received", "sent", "received_rate", "sent_rate", "exited"] {
          #expect(row[key] != nil, "\(key)")
        }
        #expect(row["received"] as? UInt64 == truth.received)
        #expect(row["sent"] as? UInt64 == truth.sent)
        let balance = try #require(object["balance"] as? [String: Any])
        #expect(
          Set(balance.keys).isSuperset(of: ["total", "attributed", "forwarded", "kernel", "unattributed"]))
        let health = try #require(object["health"] as? [String: Any])
        #expect(Set(health.keys).isSuperset(of: ["flows", "missed_events", "vanished", "denied"]))
      }
      let second = try #require(try Report(line: String(lines[1])))
      #expect(second.interval ?? 0 > 0)
    }
  }

  @Test func `a table has a header and the totals`() async throws {
    try await withTraffic { lab, client, _ in
      let text = try await lab.a.run([Self.program, "--count", "1", "--format", "table"])
      #expect(text.contains("\(client.pid)"))
      #expect(text.split(separator: "\n").count >= 3)
      #expect(!text.contains("\u{1b}"))
      // The program's base name, or with --full the command line as it is.
      #expect(text.contains(" traffic tcp ") && !text.contains(Program.traffic))
      let full = try await lab.a.run([Self.program, "--count", "1", "--format", "table", "--full"])
      #expect(full.contains(" \(Program.traffic) tcp 10.77.1.2 "), "\(full)")
    }
  }

  @Test(arguments: [1, 3])
  func `count ends it`(count: Int) async throws {
    try await withTraffic { lab, client, _ in
      let text = try await lab.a.run([
        Self.program, "--count", "\(count)", "--interval", "0.05", "--format", "json",
      ])
      let reports = try text.split(separator: "\n").compactMap { try Report(line: String($0)) }
      #expect(reports.count == count)
      #expect(reports.allSatisfy { $0.row(pid: client.pid) != nil })
    }
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func `a signal ends it with a last report`(signal: Int32) async throws {
    try await withTraffic { lab, client, truth in
      let monitor = try Reporter(interval: "3600", in: lab.a)
      try await monitor.report("a first report")
      #expect(try await monitor.process.stop(signal) == .exited(0))
      let reports = try monitor.reports()
      #expect(reports.count == 2)
      #expect(reports.last?.usage(pid: client.pid) == truth)
      #expect(monitor.process.complaints.isEmpty)
    }
  }

  @Test func `a hangup does not end it`() async throws {
    try await withTraffic { lab, client, truth in
      let monitor = try Reporter(in: lab.a)
      try await monitor.report("a first report")
      monitor.process.signal(SIGHUP)
      try await monitor.nextReport()
      #expect(try await monitor.nextReport().usage(pid: client.pid) == truth)
      try await monitor.stop()
    }
  }

  @Test(arguments: ["plain", "table", "json"])
  func `a reader that goes away ends it quietly`(format: String) async throws {
    try await withTraffic { lab, _, _ in
      let monitor = try lab.a.start(
        [Self.program, "--format", format, "--interval", "0.05"], output: .brokenPipe)
      #expect(try await monitor.ended() == .exited(0))
      #expect(monitor.complaints.isEmpty)
    }
  }

  @Test(arguments: [
    "runmonitor --format json", "runmonitor --bandwidth --include nobody", "runaggregator --auto-group",
    "runaggregator --auto-group --format json", "runpipe 8080 127.0.0.1 9",
    "runpipe 8080 127.0.0.1 9 --format json",
  ])
  func `a closed standard output ends it, and nothing is written elsewhere`(line: String) async throws {
    try await withTraffic { lab, _, _ in
      let words = line.split(separator: " ").map(String.init)
      let program = try lab.a.start(
        [Program.path(words[0])] + words.dropFirst() + ["--interval", "0.05"], output: .closed)
      #expect(try await program.ended() == .exited(0), "\(program.errors.text)")
      #expect(program.complaints.isEmpty && !program.errors.text.contains("\"schema\""))
    }
  }

  @Test(arguments: ["runmonitor", "runpipe 8080 127.0.0.1 9"])
  func `without standard input and error nothing that it opens takes their places`(line: String) async throws
  {
    try await withTraffic { lab, _, _ in
      let words = line.split(separator: " ").map(String.init)
      let program = Reporter(
        process: try lab.a.start(
          ["sh", "-c", "exec \"$@\" <&- 2>&-", "sh", Program.path(words[0])] + words.dropFirst()
            + ["--format", "json", "--interval", "0.05"]))
      try await program.report("a report")
      for descriptor in [0, 2] {
        let path = "/proc/\(program.process.pid)/fd/\(descriptor)"
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == "/dev/null")
      }
      #expect(try await program.process.stop() == .exited(0))
      #expect(program.process.output.lines.allSatisfy { $0.hasPrefix(#"{"schema":1,"#) && $0.hasSuffix("}") })
    }
  }

  @Test(arguments: ["runaggregator --auto-group --explain curl", "runmonitor --doctor"])
  func `an answer that nobody reads is no error`(line: String) async throws {
    try await withTraffic { lab, _, _ in
      let words = line.split(separator: " ").map(String.init)
      let program = try lab.a.start([Program.path(words[0])] + words.dropFirst(), output: .brokenPipe)
      // The doctor says by its status what it has found.
      let read = try lab.a.start([Program.path(words[0])] + words.dropFirst())
      #expect(try await program.ended() == read.ended(), "\(program.errors.text)")
      #expect(program.complaints.isEmpty)
    }
  }

  /// Said once when it begins, and once when the program gives up; at the first report that is the same.
  @Test(
    arguments: [
      ("runmonitor --count 2 --format json --interval 0.05", 1), ("runmonitor --doctor", 1),
      ("runmonitor --count 2 --bandwidth --format json --interval 0.05", 2),
      ("runaggregator --auto-group --explain curl", 1),
      ("runpipe 8080 127.0.0.1 9 --count 2 --format json --interval 0.05", 2),
    ] as [(String, Int)])
  func `a full disk is said, and ends who wants so many reports`(line: String, times: Int) async throws {
    try await withTraffic { lab, _, _ in
      let words = line.split(separator: " ").map(String.init)
      let shell = try lab.a.start(
        ["sh", "-c", "exec \"$@\" > /dev/full", "sh", Program.path(words[0])] + words.dropFirst())
      #expect(try await shell.ended() == .exited(75))
      let complaints = shell.errors.text.split(separator: "\n").filter {
        $0.contains("writing to standard output")
      }
      #expect(complaints.count == times, "\(shell.errors.text)")
    }
  }

  @Test func `both sources agree`() async throws {
    try await withTraffic { lab, client, truth in
      for source in ["auto", "netlink", "procfs"] {
        let monitor = try Reporter(["--source", source], in: lab.a)
        let report = try await monitor.report("\(truth) by \(source)") { $0.usage(pid: client.pid) == truth }
        #expect(report.balance.total.view == truth)
        try await monitor.stop()
      }
    }
  }
}
