@testable import Aggregation
import Model
import Testing

/// Who moved most through eth0 (2) and eth1 (3).
@Suite struct TrafficWindowTests {
  private static let eth0 = IPAddress(v4: 0x0a00_0001)
  private static let sixOfEth0 = IPAddress(high: 0x2001 << 48, low: 1)
  private static let eth1 = IPAddress(v4: 0x0a01_0001)

  private func row(_ name: String, _ parts: (Int32, Usage)...) -> UsageRow {
    let all = parts.reduce(Usage.zero) { $0 + $1.1 }
    var row = UsageRow(name: name, subject: .application(pids: [1]), total: all, moved: all)
    row.interfaces = parts.map { InterfaceUsage(interface: $0.0, usage: $0.1) }
    return row
  }

  private func row(_ name: String, _ received: UInt64, _ sent: UInt64) -> UsageRow {
    row(name, (2, Usage(received: received, sent: sent)))
  }

  /// The words for rows that are all that moved, beside `others`.
  private func words(
    _ rows: [UsageRow], others: Usage = .zero, through addresses: Set<IPAddress> = [eth0]
  ) -> [String] {
    var report = UsageReport(
      time: noon, interval: .seconds(1), rows: rows, balance: Balance(), health: Health())
    for (address, interface) in [(Self.eth0, Int32(2)), (Self.sixOfEth0, 2), (Self.eth1, 3)] {
      let usage = rows.reduce(others) { $0 + $1.interfaces.usage(of: [interface]) }
      report.paths.append(PathUsage(address: address, interface: interface, usage: usage))
    }
    var window = TrafficWindow()
    window.add(report, at: Self.start, keeping: .seconds(1))
    return Self.words(window, through: addresses, over: .zero, at: Self.start)
  }

  private static let start = Instant(sinceZero: .seconds(1_000))

  private static func words(
    _ window: TrafficWindow, through addresses: Set<IPAddress> = [eth0], over length: Duration,
    at now: Instant
  ) -> [String] {
    window.top(through: addresses, over: length, at: now).map {
      "\($0.name) \($0.percent) \($0.direction.rawValue)"
    }
  }

  /// A second in which these rows moved something through eth0, if that is there.
  private func second(_ rows: [UsageRow], isThere: Bool = true) -> UsageReport {
    var report = UsageReport(
      time: noon, interval: .seconds(1), rows: rows, balance: Balance(), health: Health())
    let usage = rows.reduce(Usage.zero) { $0 + $1.interfaces.usage(of: [2]) }
    if isThere { report.paths = [PathUsage(address: Self.eth0, interface: 2, usage: usage)] }
    return report
  }

  /// A backup for three seconds, then nothing but a web server's last request.
  @Test func `who moved most in the interval is named, whoever moved last`() {
    var window = TrafficWindow()
    var now = Self.start
    for second in 1...10 {
      now = now + .seconds(1)
      let rows = (3...5).contains(second) ? [row("Backup", 0, 300)] : second == 10 ? [row("web", 0, 100)] : []
      window.add(self.second(rows), at: now, keeping: .seconds(60))
    }
    #expect(Self.words(window, over: .seconds(8), at: now) == ["Backup 90.0 sent", "web 10.0 sent"])
    #expect(Self.words(window, over: .seconds(6), at: now) == ["Backup 75.0 sent", "web 25.0 sent"])
    #expect(Self.words(window, over: .seconds(5), at: now) == ["web 100.0 sent"])
    #expect(Self.words(window, over: .zero, at: now) == ["web 100.0 sent"])
  }

  @Test func `an interface that has gone is still the path that failed`() {
    var window = TrafficWindow()
    window.add(second([row("Backup", 0, 300)]), at: Self.start, keeping: .seconds(10))
    for step in 1...9 {
      window.add(second([], isThere: false), at: Self.start + .seconds(step), keeping: .seconds(10))
    }
    #expect(Self.words(window, over: .seconds(10), at: Self.start + .seconds(9)) == ["Backup 100.0 sent"])
    for step in 10...20 {
      window.add(second([], isThere: false), at: Self.start + .seconds(step), keeping: .seconds(10))
    }
    #expect(window.count == 0)
  }

  @Test func `what moved before a gap is not of an interval after it`() {
    var window = TrafficWindow()
    window.add(second([row("Backup", 0, 300)]), at: Self.start, keeping: .seconds(60))
    #expect(Self.words(window, over: .zero, at: Self.start) == ["Backup 100.0 sent"])
    // Nothing was reported meanwhile.
    #expect(Self.words(window, over: .zero, at: Self.start + .seconds(1)).isEmpty)
    #expect(Self.words(window, over: .seconds(30), at: Self.start + .seconds(20)) == ["Backup 100.0 sent"])
    #expect(Self.words(window, over: .seconds(30), at: Self.start + .seconds(3_600)).isEmpty)
  }

  @Test func `where programs come and go the names have a bound, and shares stay right`() {
    var window = TrafficWindow()
    var now = Self.start
    for step in 0..<400 {
      now = now + .seconds(1)
      let brief = (0..<100).map { row("job \(step).\($0)", 0, 1) }
      window.add(second(brief + [row("Backup", 0, 100)]), at: now, keeping: .seconds(86_400))
    }
    #expect(window.names <= 2 * TrafficWindow.mostNames)
    #expect(Self.words(window, over: .seconds(400), at: now) == ["Backup 50.0 sent"])
  }

  @Test func `what moved before the start is not of the interval`() {
    var window = TrafficWindow()
    var first = second([row("Backup", 0, 1_000_000)])
    first.interval = nil
    window.add(first, at: Self.start, keeping: .seconds(10))
    #expect(Self.words(window, over: .seconds(10), at: Self.start).isEmpty)
  }

  @Test func `a day is few sums, and an interval begins hardly too early`() {
    var window = TrafficWindow()
    var now = Self.start
    func move(_ row: UsageRow, _ window: inout TrafficWindow) {
      now = now + .seconds(10)
      var report = second([row])
      report.interval = .seconds(10)
      window.add(report, at: now, keeping: .seconds(86_400))
    }
    for _ in 0..<8_640 { move(row("web", 0, 1), &window) }
    #expect(window.count < 200)
    for steps in [1, 10, 100, 1_000] {
      var later = window
      for _ in 0..<steps { move(row("Backup", 0, 99), &later) }
      // A sixteenth more of the time is a sixteenth of a hundredth of the bytes.
      let share = later.top(through: [Self.eth0], over: .seconds(10 * steps), at: now).first
      #expect(share?.name == "Backup" && share?.percent ?? 0 > 99.9, "\(steps): \(String(describing: share))")
    }
  }

  @Test func `the three that moved most in the greater direction, with their shares`() {
    #expect(
      words([
        row("small", 0, 10), row("Backup", 5, 600), row("mail", 0, 90), row("web", 100, 200),
        row("b", 0, 100),
      ]) == ["Backup 60.0 sent", "web 20.0 sent", "b 10.0 sent"])
    #expect(
      words([row("Backup", 0, 100), row("web", 300, 0), row("mail", 100, 0)]) == [
        "web 75.0 received", "mail 25.0 received",
      ])
    #expect(words([row("b", 1, 1), row("a", 1, 1)]) == ["a 50.0 sent", "b 50.0 sent"])
  }

  @Test func `what moved through another interface does not count`() {
    let rows = [
      row("Backup", (3, Usage(received: 0, sent: 9000))),
      row("web", (2, Usage(received: 10, sent: 75)), (3, Usage(received: 0, sent: 1000))), row("mail", 0, 25),
    ]
    #expect(words(rows) == ["web 75.0 sent", "mail 25.0 sent"])
    #expect(words(rows, through: [Self.eth1]) == ["Backup 90.0 sent", "web 10.0 sent"])
    // Two addresses of one interface count once.
    #expect(words(rows, through: [Self.eth0, Self.sixOfEth0]) == words(rows))
    #expect(
      words([rows[0], row("web", 0, 1000)], through: [Self.eth0, Self.eth1]).first == "Backup 90.0 sent")
    #expect(words(rows, through: [IPAddress(v4: 9)]).isEmpty && words(rows, through: []).isEmpty)
  }

  @Test func `who moved next to nothing is not named`() {
    #expect(words([row("Backup", 0, 995), row("idle", 0, 5)]) == ["Backup 99.5 sent"])
  }

  @Test func `bytes without a row count in the whole`() {
    #expect(words([row("Backup", 0, 50)], others: Usage(received: 0, sent: 50)) == ["Backup 50.0 sent"])
  }

  @Test func `without bytes nobody is named`() {
    #expect(words([]).isEmpty)
    #expect(words([row("a", 0, 0)]).isEmpty)
  }
}
