import INI
import Model
import Testing

@testable import Aggregation

/// P27: what fires goes on over a restart.
@Suite struct ThresholdsRestoreTests {
  /// An alert of an earlier run that fired at noon and was last reported `reported` seconds later.
  private func fired(
    _ subject: String = "app", rule: String = "r", _ direction: Alert.Direction = .received, count: Int = 1,
    reported: Double = 0
  ) -> Alert {
    Alert(
      rule: rule, subject: subject, direction: direction,
      state: count > 1 ? .repeated(count: count) : .firing, value: .kibibytesPerSecond(200),
      threshold: .kibibytesPerSecond(100), interval: .seconds(1), pids: [],
      since: noon, time: noon.later(reported))
  }

  /// A machine that continues what fired; the start is so many seconds after noon.
  private func continued(_ text: String, _ alerts: [Alert], after seconds: Double = 100) throws -> Watching {
    var watching = try Watching(text)
    watching.thresholds.restore(alerts, at: watching.start, noon.later(seconds))
    return watching
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var rule: String
    /// Received in kB/s, tick after tick; nil for a report without the application.
    var rates: [Double?]
    var reported: [String]
  }

  @Test(arguments: [
    Case(
      testDescription: "above the limit nothing is reported", rule: "interval=1", rates: [200, 200, 200],
      reported: []),
    Case(
      testDescription: "below it, it is over at once", rule: "interval=1", rates: [200, 50, 50],
      reported: ["2 below received app"]),
    Case(
      testDescription: "and once it was so for a time", rule: "interval=1\nkeep_firing_for=3",
      rates: [50, 50, 50, 50], reported: ["3 below received app"]),
    Case(
      testDescription: "a window that is not full says nothing", rule: "interval=4",
      rates: [50, 50, 50, 50], reported: ["4 below received app"]),
    Case(
      testDescription: "nor is it repeated then", rule: "interval=4\nrepeat=1", rates: [200, 200, 200, 200],
      reported: ["4 repeated-2 received app"]),
    Case(
      testDescription: "between clear and limit it fires on", rule: "interval=1\nin_clear=80",
      rates: [90, 90, 80], reported: ["3 below received app"]),
    Case(
      testDescription: "without a row it is gone, when the window is full", rule: "interval=3",
      rates: [nil, nil, nil, nil], reported: ["3 gone received app"]),
    Case(
      testDescription: "it fires again after its end", rule: "interval=1", rates: [50, 200],
      reported: ["1 below received app", "2 firing received app"]),
  ])
  func `it is reported once, with the start that it had`(_ example: Case) throws {
    var watching = try continued("[r]\nin_threshold=100\n\(example.rule)", [fired()])
    for rate in example.rates {
      if let rate { watching.tick(rate) } else { watching.tick(rows: []) }
    }
    #expect(watching.reported == example.reported)
    #expect(watching.alerts.first { $0.state != .firing }?.since ?? noon == noon)
    // Nothing is left of what is over.
    if example.reported.last?.contains("gone") == true { #expect(watching.thresholds.trackedCount == 0) }
  }

  @Test(
    arguments: [
      // Seconds after noon: of the last report, of the start; when the next is.
      (0, 4, 6), (0, 100, 1), (4, 4, 10), (60, 4, 10), (0, 1_000_000_000, 1),
    ] as [(Double, Double, Int)])
  func `a repetition counts on from the last, whatever became of the clock`(
    reported: Double, start: Double, next: Int
  ) throws {
    var watching = try continued(
      "[r]\nin_threshold=100\ninterval=1\nrepeat=10", [fired(count: 3, reported: reported)], after: start)
    for _ in 0..<next { watching.tick(200) }
    #expect(watching.reported == ["\(next) repeated-4 received app"])
  }

  @Test(
    arguments: [
      ("another rule", "[other]\nin_threshold=100", "app"),
      ("another direction", "[r]\nout_threshold=100", "app"),
      ("another filter", "[r]\nprocess_filter=web\nin_threshold=100", "app"),
      ("a remainder", "[r]\nprocess_filter=(forwarded)\nin_threshold=100", "app"),
      ("no remainder", "[r]\nin_threshold=100", "(forwarded)"),
      ("no rule", "", "app"),
    ])
  func `what no rule looks at any more is removed`(_: String, rules: String, subject: String) throws {
    var watching = try continued(rules, [fired(subject)])
    for _ in 0..<3 { watching.tick(200, 0, "other-app") }
    #expect(watching.reported.first == "1 removed received \(subject)")
    let alert = try #require(watching.alerts.first)
    #expect(alert.since == noon && alert.time == Timestamp(seconds: 1) && alert.rule == "r")
    #expect(watching.alerts.count { $0.subject == subject } == 1)
  }

  @Test func `a remainder and both directions go on as well`() throws {
    var watching = try continued(
      "[f]\nprocess_filter=(forwarded)\nin_threshold=100\n[r]\nin_threshold=100\nout_threshold=100",
      [fired("(forwarded)", rule: "f"), fired(.received), fired(.sent), fired(.sent)])
    let quick = Usage(received: 200 << 10, sent: 200 << 10)
    watching.tick(rows: [row("app", quick), remainder("(forwarded)", quick)])
    #expect(watching.reported.isEmpty)
    watching.tick(rows: [row("app", .zero), remainder("(forwarded)", .zero)])
    #expect(
      watching.reported == ["2 below received app", "2 below sent app", "2 below received (forwarded)"])
  }

  @Test func `while the sensor fails nothing is known of what had no row yet`() throws {
    var watching = try continued("[r]\nin_threshold=100\ninterval=2", [fired()])
    for _ in 0..<10 { watching.tick(rows: [], isPartial: true) }
    #expect(watching.reported.isEmpty)
    for _ in 0..<3 { watching.tick(200) }
    #expect(watching.reported.isEmpty)
    watching.tick(0)
    #expect(watching.reported == ["14 below received app"])
  }

  @Test func `a reload keeps what goes on`() throws {
    var watching = try continued("[r]\nin_threshold=100", [fired()])
    watching.tick(200)
    watching.thresholds.reload(rules: try thresholdRules("[r]\nin_threshold=150"))
    watching.tick(200)
    #expect(watching.reported.isEmpty)
    watching.thresholds.reload(rules: try thresholdRules("[new]\nin_threshold=150"))
    watching.tick(50)
    #expect(watching.reported == ["3 removed received app"])
  }

  private func fired(_ direction: Alert.Direction) -> Alert { fired("app", rule: "r", direction) }
}
