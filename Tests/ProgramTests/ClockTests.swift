import Foundation
import Glibc
import Lab
import Testing

/// A44: a wall clock that somebody sets, and a host that slept.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct ClockTests {
  private static let hour = Duration.seconds(3600)
  /// Longer than any test, and much shorter than an hour.
  private static let slack = 600.0

  /// A server in B, to which senders of A drip.
  private struct Stage {
    let lab: Topology
    let server: Traffic
    let port: Int
    let clock: SteppedClock

    init() async throws {
      lab = try await MonitorAccountingTests.readyTopology()
      server = try Traffic("tcp-serve", in: lab.b)
      port = try await server.ready()
      clock = try await SteppedClock()
    }

    func drip(_ rate: Int, _ note: String) throws -> Traffic {
      try Traffic(
        "tcp 10.77.1.2 \(port) --rate \(rate) --send 100000000000 --note \(note)", in: lab.a)
    }
  }

  @Test(arguments: [hour, .zero - hour])
  func `setting the wall clock moves the time of reports, and no rate`(step: Duration) async throws {
    let stage = try await Stage()
    let monitor = try Reporter(in: stage.lab.a, wrapper: stage.clock.wrapper)
    try await monitor.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    try await monitor.report("traffic") { $0.row(pid: drip.pid)?.sentRate ?? 0 > 0 }
    try stage.clock.setWallClock(by: step)
    for _ in 0..<5 { try await monitor.nextReport() }
    // Waited for: a zombie counts as one that lives.
    try await drip.process.stop(SIGKILL)
    try await monitor.report("its end") { $0.row(pid: drip.pid)?.exited == true }
    try await monitor.stop()
    try await stage.server.finish()

    let reports = try monitor.reports()
    try checkRates(of: drip.pid, reports)
    #expect(reports.compactMap(\.interval).allSatisfy { $0 > 0 && $0 < Self.slack })
    let jumps = try zip(reports, reports.dropFirst()).map { try $1.moment - $0.moment }
      .filter { abs($0) > Self.slack }
    let jump = try #require(jumps.first)
    #expect(jumps.count == 1 && abs(jump - step / .seconds(1)) < Self.slack, "\(jumps)")
  }

  /// A record of connmonitor, as far as it matters here.
  private struct Record: Decodable {
    struct Ping: Decodable { var min, max, loss: Double }
    var timestamp: Double
    var ping: Ping
  }

  /// The kernel's stamps of what comes and goes are of the wall clock too, and of the machine's here.
  @Test(arguments: [hour, .zero - hour])
  func `setting the wall clock moves no time of a ping`(step: Duration) async throws {
    let host = try await NetworkNamespace()
    let clock = try await SteppedClock()
    let folder = try ScratchFolder()
    let hosts = try folder.write("127.0.0.1 ping=50 numpings=5 json=true\n", to: "hosts")
    let monitor = try host.start(clock.wrapper + [Program.path("connmonitor"), hosts])
    func records() throws -> [Record] {
      try monitor.output.lines.filter { !$0.isEmpty }.map {
        try JSONDecoder().decode(Record.self, from: Data($0.utf8))
      }
    }
    func wait(for count: Int) async throws {
      try await eventually("\(count) records", state: { monitor.errors.text }) {
        try records().count >= count ? () : nil
      }
    }
    try await wait(for: 3)
    try clock.setWallClock(by: step)
    try await wait(for: try records().count + 10)
    #expect(try await monitor.stop() == .exited(0))
    let answered = try records().filter { $0.ping.loss < 100 }
    // A reply is waited for a second.
    #expect(answered.count > 10 && answered.allSatisfy { $0.ping.min >= 0 && $0.ping.max < 1_000 })
    let times = try records().map { $0.timestamp / 1_000 }
    let jumps = zip(times, times.dropFirst()).map { $1 - $0 }.filter { abs($0) > Self.slack }
    #expect(jumps.count == 1 && abs((jumps.first ?? 0) - step / .seconds(1)) < Self.slack, "\(jumps)")
  }

  @Test func `a suspend is part of its interval, and of no rate after it`() async throws {
    let stage = try await Stage()
    let monitor = try Reporter(in: stage.lab.a, wrapper: stage.clock.wrapper)
    try await monitor.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    try await monitor.report("traffic") { $0.row(pid: drip.pid)?.sentRate ?? 0 > 0 }
    try stage.clock.suspend(for: Self.hour)
    for _ in 0..<5 { try await monitor.nextReport() }
    try await monitor.stop()
    drip.process.signal(SIGKILL)
    try await stage.server.finish()

    let reports = try monitor.reports()
    try checkRates(of: drip.pid, reports)
    let slept = reports.filter { $0.interval ?? 0 > 3600 }
    #expect(slept.count == 1 && slept[0].interval ?? 0 < 3600 + Self.slack)
    #expect(slept[0].row(pid: drip.pid).map { $0.sentRate < 100_000 } == true)
    #expect(reports.allSatisfy { $0.health["skipped_reports"] == 0 })
  }

  /// Stopped as a debugger or a frozen control group does it: the clocks go on.
  @Test func `ticks that were missed are one, with all that moved`() async throws {
    let stage = try await Stage()
    let monitor = try Reporter(in: stage.lab.a)
    try await monitor.report("a first report")
    monitor.process.signal(SIGSTOP)
    let client = try Traffic(
      "tcp 10.77.1.2 \(stage.port) --send 600000 --rate 400000 --hold", in: stage.lab.a)
    _ = try await client.counted()
    let truth = try await stage.lab.viewOfA()
    monitor.process.signal(SIGCONT)
    try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    try await monitor.nextReport()
    try await monitor.stop()
    try await client.finish()
    try await stage.server.finish()

    let reports = try monitor.reports()
    try checkRates(of: client.pid, reports)
    // The client took longer than a second.
    #expect(reports.contains { $0.interval ?? 0 > 1 })
    #expect(reports.allSatisfy { $0.health["skipped_reports"] == 0 })
  }

  /// Each rule but the first would fire, be reported again or be resolved if it went by the wall clock.
  private static let rules = """
    [busy]
    process_filter=Drip
    out_threshold=50
    interval=1
    keep_firing_for=1200
    repeat=1200
    [patient]
    process_filter=Drip
    out_threshold=50
    interval=1
    for=1200
    [long]
    process_filter=Drip
    out_threshold=1
    interval=1200
    [spike]
    out_threshold=100M
    in_threshold=100M
    interval=1
    [afterwards]
    process_filter=Late
    out_threshold=50
    interval=1
    keep_firing_for=1200

    """

  @Test(arguments: [hour, .zero - hour])
  func `setting the wall clock neither raises nor resolves an alert`(step: Duration) async throws {
    let stage = try await Stage()
    let folder = try ScratchFolder()
    let apps = try folder.write("[Drip]\nrule=note drip\n[Late]\nrule=note late\n", to: "apps.cfg")
    let rules = try folder.write(Self.rules, to: "rules.cfg")
    let aggregator = try Reporter(
      ["--app-config", apps, "--notification-config", rules], program: "runaggregator", in: stage.lab.a,
      wrapper: stage.clock.wrapper)
    try await aggregator.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    try await aggregator.alert("of the rule busy") { $0.rule == "busy" }
    try stage.clock.setWallClock(by: step)
    for _ in 0..<5 { try await aggregator.nextReport() }
    // Below the limit from here on, so that keep_firing_for runs.
    try await drip.process.stop(SIGKILL)
    try await aggregator.report("its end") { $0.row(named: "Drip")?.sentRate == 0 }
    for _ in 0..<15 { try await aggregator.nextReport() }
    try stage.clock.setWallClock(by: .zero)
    for _ in 0..<5 { try await aggregator.nextReport() }
    try stage.clock.setWallClock(by: step)
    let late = try stage.drip(400_000, "late")
    let alert = try await aggregator.alert("of the rule afterwards") { $0.rule == "afterwards" }
    try await aggregator.stop()
    late.process.signal(SIGKILL)
    try await stage.server.finish()

    let alerts = try aggregator.alerts()
    #expect(alerts.map(\.rule) == ["busy", "afterwards"], "\(alerts)")
    #expect(alerts.allSatisfy { $0.state == "firing" })
    let moved = step / .seconds(1)
    let reported = try moment(alert.time)
    #expect(abs(reported - Date().timeIntervalSince1970 - moved) < Self.slack)
    let line = try #require(aggregator.process.errors.lines.first { $0.contains(": Late exceeding") })
    let style = Date.ISO8601FormatStyle(timeZone: .current).year().month().day().dateTimeSeparator(.space)
      .time(includingFractionalSeconds: false)
    let local = try Date(String(line.prefix(19)), strategy: style).timeIntervalSince1970
    #expect(abs(local - reported) < 2)
  }

  @Test(arguments: [hour, .zero - hour])
  func `setting the wall clock neither hurries nor keeps the end of a command`(step: Duration) async throws {
    let stage = try await Stage()
    let folder = try ScratchFolder()
    let slow = try await folder.write(
      program:
        "#!/bin/sh\ncd \(folder.path)\n: >slow.began\nuntil [ -e go ]; do sleep 0.1; done\n: >slow.done\n",
      to: "slow")
    let hangs = try await folder.write(
      program: "#!/bin/sh\n: >\(folder.path)/hangs.began\nexec sleep 3600\n", to: "hangs")
    let rules = try folder.write(
      """
      [slow]
      out_threshold=50
      interval=1
      command_timeout=1200
      notification_command=\(slow)
      [hangs]
      out_threshold=50
      interval=1
      command_timeout=5
      notification_command=\(hangs)

      """, to: "rules.cfg")
    let apps = try folder.write("[Drip]\nrule=note drip\n", to: "apps.cfg")
    let aggregator = try Reporter(
      ["--app-config", apps, "--notification-config", rules], program: "runaggregator", in: stage.lab.a,
      wrapper: stage.clock.wrapper)
    try await aggregator.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    for command in ["slow", "hangs"] {
      try await eventually("\(command)", state: { aggregator.state }) {
        FileManager.default.fileExists(atPath: "\(folder.path)/\(command).began") ? () : nil
      }
    }
    try stage.clock.setWallClock(by: step)
    try await aggregator.process.errors.first("the end of what hangs") {
      $0.contains(hangs) ? () : nil
    }
    try folder.write("", to: "go")
    try await eventually("the end of what is slow", state: { aggregator.state }) {
      FileManager.default.fileExists(atPath: "\(folder.path)/slow.done") ? () : nil
    }
    #expect(!aggregator.process.errors.text.contains(slow))
    try await aggregator.stop()
    drip.process.signal(SIGKILL)
    try await stage.server.finish()
  }

  /// What a row says of its rate is what moved in the interval.
  private func checkRates(of pid: Int32, _ reports: [Report]) throws {
    for (before, after) in zip(reports, reports.dropFirst()) {
      guard let row = after.row(pid: pid) else { continue }
      let interval = try #require(after.interval)
      for (rate, now, then) in [
        (row.sentRate, row.sent, before.usage(pid: pid).sent),
        (row.receivedRate, row.received, before.usage(pid: pid).received),
      ] {
        #expect(now >= then && rate >= 0)
        // Reported are thousandths of a second, and tenths of a byte per second.
        #expect(abs(rate * interval - Double(now - then)) <= rate / 1000 + interval / 10 + 1, "\(after)")
      }
    }
  }

  /// P6: the kernel's stamps are of the wall clock.
  @Test func `setting the wall clock changes no time of a ping`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let clock = try await SteppedClock()
    let folder = try ScratchFolder()
    let list = try folder.write("10.77.1.2 ping=50 json=true timestamp=false\n", to: "hosts")
    let monitor = try lab.a.start(clock.wrapper + [Program.path("connmonitor"), list])
    func bursts() throws -> [PingTimes] {
      try monitor.output.lines.filter { !$0.isEmpty }.map {
        try JSONDecoder().decode(PingRecord.self, from: Data($0.utf8)).ping
      }
    }
    for step in [Duration.zero, Self.hour, .zero - Self.hour, .milliseconds(3), .zero] {
      try clock.setWallClock(by: step)
      let before = try bursts().count
      try await eventually("bursts", state: { monitor.errors.text }) {
        try bursts().count >= before + 4 ? () : nil
      }
    }
    try await monitor.stop()
    let all = try bursts()
    // Over a wire of this host; half a second is the time limit.
    #expect(all.allSatisfy { $0.loss == 0 && $0.min > 0 && $0.max < 500 }, "\(all)")
  }

  private struct PingTimes: Decodable {
    var min: Double
    var max: Double
    var loss: Double
  }

  private struct PingRecord: Decodable { var ping: PingTimes }
}

/// An alert as JSON tells it, read without the code that wrote it.
private struct AlertLine: Decodable {
  var event: String
  var rule: String
  var state: String
  var time: String
}

extension Reporter {
  /// All alerts so far.
  fileprivate func alerts() throws -> [AlertLine] {
    try process.output.lines.filter { $0.contains(#""event":"alert""#) }.map {
      try JSONDecoder().decode(AlertLine.self, from: Data($0.utf8))
    }
  }

  /// Waits for an alert.
  @discardableResult
  fileprivate func alert(_ awaited: String, where isWanted: (AlertLine) -> Bool) async throws -> AlertLine {
    try await eventually("an alert \(awaited)", state: { state }) { try alerts().first(where: isWanted) }
  }
}

/// Seconds since 1970 of a time in a report.
private func moment(_ text: String) throws -> Double {
  try Date(text, strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true))
    .timeIntervalSince1970
}

extension Report {
  fileprivate var moment: Double { get throws { try ProgramTests.moment(time) } }
}
