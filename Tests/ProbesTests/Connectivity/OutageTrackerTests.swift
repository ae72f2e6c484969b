import Model
import SystemRuntime
import Testing

@testable import Probes

@Suite struct OutageTrackerTests {
  private let start = Instant.now
  private func after(_ seconds: Double) -> Instant { start + .seconds(seconds) }
  private func time(_ seconds: Int64) -> Timestamp { Timestamp(seconds: 1_000_000 + seconds) }

  /// One attempt, and what is said of it; times are seconds since the start.
  struct Step: Sendable {
    let at: Int
    let reachable: Bool
    let change: Outage.State?

    static func up(_ at: Int, _ change: Outage.State? = nil) -> Step {
      Step(at: at, reachable: true, change: change)
    }
    static func down(_ at: Int, _ change: Outage.State? = nil) -> Step {
      Step(at: at, reachable: false, change: change)
    }
  }

  /// What happens with an ignored outage below so many seconds.
  struct Course: Sendable, CustomTestStringConvertible {
    let name: String
    let minimum: Int
    let steps: [Step]

    var testDescription: String { name }
  }

  static let courses = [
    Course(name: "up from the start: nothing", minimum: 5, steps: [.up(0), .up(2), .up(4)]),
    Course(
      name: "down from the start", minimum: 5,
      steps: [
        .down(0, .began(afterUptime: .zero)), .down(2),
        .up(6, .ended(downtime: .seconds(6), isIgnored: false)),
      ]),
    Course(
      name: "an ignored outage restarts the uptime", minimum: 5,
      steps: [
        .up(0), .down(600, .began(afterUptime: .seconds(600))), .down(602),
        .up(603, .ended(downtime: .seconds(3), isIgnored: true)), .up(605),
        .down(610, .began(afterUptime: .seconds(7))),
        .up(618, .ended(downtime: .seconds(8), isIgnored: false)),
        .down(700, .began(afterUptime: .seconds(82))),
      ]),
    Course(
      name: "exactly as long as the minimum is long enough", minimum: 5,
      steps: [
        .down(10, .began(afterUptime: .seconds(10))),
        .up(15, .ended(downtime: .seconds(5), isIgnored: false)),
      ]),
    Course(
      name: "a minimum of zero ignores nothing", minimum: 0,
      steps: [
        .down(10, .began(afterUptime: .seconds(10))), .up(10, .ended(downtime: .zero, isIgnored: false)),
      ]),
  ]

  @Test(arguments: courses)
  func `attempts become outages`(course: Course) {
    var tracker = OutageTracker(
      subject: "h:1", ignoringShorterThan: .seconds(course.minimum), start: start)
    for step in course.steps {
      let change = tracker.record(
        reachable: step.reachable, attemptBegan: after(Double(step.at)), at: time(Int64(step.at)))
      #expect(
        change == step.change.map { Outage(subject: "h:1", state: $0, time: time(Int64(step.at))) },
        "at \(step.at)")
      #expect(tracker.isUp == step.reachable)
    }
  }

  @Test func `a clock that is set back changes no duration`() {
    var tracker = OutageTracker(subject: "h:1", ignoringShorterThan: .zero, start: start)
    _ = tracker.record(reachable: false, attemptBegan: after(10), at: time(10))
    let change = tracker.record(reachable: true, attemptBegan: after(20), at: time(-3600))
    #expect(change?.state == .ended(downtime: .seconds(10), isIgnored: false))
    #expect(change?.time == time(-3600))
  }

  @Test func `an outage of an earlier run goes on, with its whole length`() {
    var tracker = OutageTracker(
      subject: "h:1", ignoringShorterThan: .zero, start: start, downSince: after(-100))
    #expect(!tracker.isUp && tracker.downSince == after(-100))
    #expect(tracker.record(reachable: false, attemptBegan: after(1), at: time(1)) == nil)
    let change = tracker.record(reachable: true, attemptBegan: after(20), at: time(20))
    #expect(change?.state == .ended(downtime: .seconds(120), isIgnored: false) && tracker.downSince == nil)
    #expect(
      tracker.record(reachable: false, attemptBegan: after(50), at: time(50))?.state
        == .began(afterUptime: .seconds(30)))
    #expect(tracker.downSince == after(50))
  }
}
