import Aggregation
import INI
import Model
import Testing

/// Feeds a machine tick after tick and notes what it tells, with the second since the start.
struct Watching {
  var thresholds: Thresholds
  let start = Instant(sinceZero: .seconds(1_000_000))
  private(set) var elapsed = Duration.zero
  /// `second state direction subject`, in the order reported.
  private(set) var reported: [String] = []
  private(set) var alerts: [Alert] = []

  init(_ text: String) throws { thresholds = Thresholds(rules: try thresholdRules(text)) }

  /// A tick in which one application, with one living process, moved at rates in kB/s.
  mutating func tick(
    _ received: Double = 0, _ sent: Double = 0, _ name: String = "app", pids: [Int32] = [1],
    seconds: Double = 1
  ) {
    let moved = Usage(received: UInt64(received * 1024 * seconds), sent: UInt64(sent * 1024 * seconds))
    tick(rows: [row(name, moved, pids)], seconds: seconds)
  }

  mutating func tick(rows: [UsageRow], seconds: Double = 1, isTimed: Bool = true, isPartial: Bool = false) {
    let duration = Duration.milliseconds(Int64(seconds * 1000))
    elapsed += duration
    let time = Timestamp(seconds: elapsed.components.seconds)
    let report = UsageReport(
      time: time, interval: isTimed ? duration : nil, rows: rows, balance: Balance(), health: Health())
    for alert in thresholds.update(
      with: report, at: start.advanced(by: elapsed), isPartial: isPartial)
    {
      alerts.append(alert)
      reported.append(
        "\(elapsed.components.seconds) \(word(alert.state)) \(alert.direction) \(alert.subject)")
    }
  }

  private func word(_ state: Alert.State) -> String {
    switch state {
    case .firing: "firing"
    case .repeated(let count): "repeated-\(count)"
    case .resolved(let why): "\(why)"
    }
  }
}

func row(_ name: String, _ moved: Usage, _ pids: [Int32] = [1]) -> UsageRow {
  UsageRow(name: name, subject: .application(pids: pids), total: moved, moved: moved)
}

func remainder(_ name: String, _ moved: Usage) -> UsageRow {
  UsageRow(name: name, subject: .remainder, total: moved, moved: moved)
}

/// How rules behave over time (A47, P26, P27).
@Suite struct ThresholdsTests {
  @Test(
    arguments: [
      (99, []), (100, []), (101, ["10 firing received app"]), (200, ["10 firing received app"]),
    ] as [(Double, [String])])
  func `only a steady rate above the threshold fires, once, when the first window is full`(
    rate: Double, reported: [String]
  ) throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10")
    for _ in 0..<60 { watching.tick(rate) }
    #expect(watching.reported == reported)
  }

  @Test func `a burst that the interval evens out does not fire`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10")
    for second in 0..<60 { watching.tick(second == 20 ? 500 : 0) }
    #expect(watching.reported.isEmpty)
    for second in 0..<60 { watching.tick(second == 20 ? 1500 : 0) }
    #expect(watching.reported == ["81 firing received app", "91 below received app"])
  }

  @Test func `nothing fires before the window is full, whatever the rate`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=30")
    for _ in 0..<29 { watching.tick(1_000_000) }
    #expect(watching.reported.isEmpty)
    watching.tick(1_000_000)
    #expect(watching.reported == ["30 firing received app"])
  }

  @Test func `an application that starts later was idle before`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10")
    for _ in 0..<20 { watching.tick(rows: []) }
    for _ in 0..<10 { watching.tick(250) }
    // The average passes 100 with the fifth second of 250.
    #expect(watching.reported == ["25 firing received app"])
  }

  @Test(arguments: [0.25, 0.5, 1, 2, 3, 7, 10, 15])
  func `ticks may have any length`(seconds: Double) throws {
    var above = try Watching("[r]\nin_threshold=100\ninterval=10")
    var below = try Watching("[r]\nin_threshold=100\ninterval=10")
    while above.elapsed < .seconds(60) {
      above.tick(104, seconds: seconds)
      below.tick(96, seconds: seconds)
    }
    #expect(above.reported.count == 1 && above.alerts.first?.state == .firing)
    #expect(abs((above.alerts.first?.value.kibibytesPerSecond ?? 0) - 104) < 0.1)
    #expect(below.reported.isEmpty)
  }

  @Test func `directions are told apart`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nout_threshold=10")
    watching.tick(50, 50)
    watching.tick(200, 5)
    watching.tick(0, 0)
    #expect(
      watching.reported == [
        "1 firing sent app", "2 below sent app", "2 firing received app", "3 below received app",
      ])
  }

  @Test func `zero is no limit`() throws {
    var watching = try Watching("[r]\nin_threshold=0\nout_threshold=10")
    for _ in 0..<5 { watching.tick(1_000_000, 10) }
    #expect(watching.reported.isEmpty)
  }

  @Test func `an alert carries its facts`() throws {
    var watching = try Watching("[Big]\nprocess_filter=^app$\nin_threshold=100\ninterval=2\nin_clear=50")
    watching.tick(300, pids: [3, 9])
    watching.tick(100, pids: [3, 9])
    watching.tick(100, pids: [9])
    watching.tick(0, pids: [9])
    let raised = Alert(
      rule: "Big", subject: "app", direction: .received, state: .firing, value: .kibibytesPerSecond(200),
      threshold: .kibibytesPerSecond(100), interval: .seconds(2), pids: [3, 9], since: Timestamp(seconds: 2),
      time: Timestamp(seconds: 2))
    var resolved = raised
    resolved.state = .resolved(.below)
    resolved.value = .kibibytesPerSecond(50)
    resolved.pids = [9]
    resolved.time = Timestamp(seconds: 4)
    #expect(watching.alerts == [raised, resolved])
  }

  @Test func `for must be filled without a gap`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nfor=5")
    for _ in 0..<4 { watching.tick(200) }
    watching.tick(100)
    for _ in 0..<10 { watching.tick(200) }
    #expect(watching.reported == ["10 firing received app"])
  }

  @Test func `a square wave never fires, a step fires and resolves once`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nfor=5\nkeep_firing_for=30")
    for second in 0..<60 { watching.tick(second / 2 % 2 == 0 ? 200 : 50) }
    #expect(watching.reported.isEmpty)
    for second in 0..<100 { watching.tick(second < 10 ? 200 : 50) }
    #expect(watching.reported == ["65 firing received app", "100 below received app"])
  }

  @Test func `keep_firing_for starts again when the average rises again`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nkeep_firing_for=5")
    watching.tick(200)
    for _ in 0..<4 { watching.tick(0) }
    watching.tick(200)
    for _ in 0..<10 { watching.tick(0) }
    #expect(watching.reported == ["1 firing received app", "11 below received app"])
  }

  @Test func `between clear level and threshold nothing changes`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nin_clear=80")
    // A wave from 90 to 110 and back.
    for second in 0..<100 { watching.tick([100, 105, 110, 105, 100, 95, 90, 95][second % 8]) }
    #expect(watching.reported == ["2 firing received app"])
    watching.tick(81)
    #expect(watching.reported.count == 1)
    watching.tick(80)
    #expect(watching.reported.last == "102 below received app")
    watching.tick(100)
    watching.tick(101)
    #expect(watching.reported.last == "104 firing received app")
  }

  @Test func `repeat tells again for as long as it lasts`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nin_clear=50\nrepeat=10")
    for second in 0..<35 { watching.tick(second < 15 ? 200 : 60) }
    for _ in 0..<20 { watching.tick(0) }
    watching.tick(200)
    #expect(
      watching.reported == [
        "1 firing received app", "11 repeated-2 received app", "21 repeated-3 received app",
        "31 repeated-4 received app", "36 below received app", "56 firing received app",
      ])
  }

  @Test func `the lookback never counts`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=2")
    let huge = row("app", Usage(received: 1 << 40))
    for _ in 0..<10 { watching.tick(rows: [huge], isTimed: false) }
    watching.tick(50)
    watching.tick(rows: [huge], isTimed: false)
    watching.tick(50)
    #expect(watching.reported.isEmpty)
  }
}
