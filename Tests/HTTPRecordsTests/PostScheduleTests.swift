import Model
import SystemRuntime
import Testing

@testable import HTTPRecords

/// What is posted when.
@Suite struct PostScheduleTests {
  let start = Instant.now
  let again = HTTPVerdict.again("busy", after: nil)

  func schedule(patience: Duration? = .seconds(60), places: Int = 4, waits: Bool = true)
    -> PostSchedule
  {
    var limits = PostSchedule.Limits()
    (limits.patience, limits.waitsForFirst) = (patience, waits)
    return PostSchedule(limits: limits, places: places)
  }

  @Test func `several are under way, in order, and no more than there are places`() {
    var schedule = schedule(places: 2)
    for number in 1...3 as ClosedRange<UInt64> { schedule.add(number) }
    #expect(schedule.start(at: start) == 1 && schedule.start(at: start) == 2)
    #expect(schedule.start(at: start) == nil && schedule.due == nil)
    #expect(schedule.finish(2, .delivered, at: start) == [.delivered(2)])
    #expect(schedule.start(at: start) == 3)
    #expect(schedule.finish(2, .delivered, at: start).isEmpty)
  }

  @Test func `an outage is said once, tried by each in turn with pauses that double, and given up`() {
    var schedule = schedule()
    for number in 1...4 as ClosedRange<UInt64> { schedule.add(number) }
    for _ in 1...4 { _ = schedule.start(at: start) }
    guard case .notice(let text) = schedule.finish(2, again, at: start).first else {
      Issue.record("no notice")
      return
    }
    #expect(text == "busy. Messages wait and are posted again for 60 s: see that the server is well.")
    // Those that were under way as well.
    for number in [1, 3, 4] as [UInt64] { #expect(schedule.finish(number, again, at: start).isEmpty) }
    var now = start
    var pauses: [Duration] = []
    var actions: [PostSchedule.Action] = []
    while actions.isEmpty, pauses.count < 100 {
      guard let due = schedule.due else { break }
      #expect(schedule.start(at: due - .milliseconds(1)) == nil)
      pauses.append(due - now)
      now = due
      // All have failed as often, so the oldest is the first.
      let turn = UInt64((pauses.count - 1) % 4 + 1)
      #expect(schedule.start(at: now) == turn && schedule.start(at: now) == nil)
      actions = schedule.finish(turn, again, at: now)
    }
    #expect(pauses.prefix(8).map { $0 / .milliseconds(100) } == [1, 2, 4, 8, 16, 32, 50, 50])
    #expect(now - start >= .seconds(60) && now - start <= .seconds(65))
    guard case .failed(let failure) = actions.first else {
      Issue.record("not given up")
      return
    }
    #expect(failure.kind == .later)
  }

  @Test func `one success ends an outage, and all go on`() {
    var schedule = schedule(patience: nil)
    for number in 1...3 as ClosedRange<UInt64> { schedule.add(number) }
    _ = schedule.start(at: start)
    _ = schedule.finish(1, again, at: start)
    let later = start + .seconds(100_000)
    #expect(schedule.start(at: later) == 2)
    #expect(schedule.finish(2, again, at: later).isEmpty)
    #expect(schedule.start(at: later + .seconds(1)) == 3)
    #expect(schedule.finish(3, again, at: later).isEmpty)
    #expect(schedule.start(at: later + .seconds(2)) == 1)
    #expect(schedule.finish(1, .delivered, at: later) == [.delivered(1)])
    schedule.add(4)
    #expect(schedule.start(at: later) == 2 && schedule.start(at: later) == 3)
    #expect(schedule.start(at: later) == 4)
    // A new outage is said again.
    #expect(schedule.finish(4, again, at: later).count == 1)
  }

  @Test func `what began before the end of an outage begins no other`() {
    var schedule = schedule()
    for number in 1...5 as ClosedRange<UInt64> { schedule.add(number) }
    for _ in 1...4 { _ = schedule.start(at: start) }
    #expect(schedule.finish(1, again, at: start).count == 1)
    #expect(schedule.finish(2, .delivered, at: start) == [.delivered(2)])
    // It came to grief with the first, and is posted again at once.
    #expect(schedule.finish(3, again, at: start).isEmpty && schedule.due == nil)
    #expect(schedule.start(at: start) == 1 && schedule.start(at: start) == 3)
    #expect(schedule.finish(4, .delivered, at: start) == [.delivered(4)])
    #expect(schedule.start(at: start) == 5)
    #expect(schedule.finish(5, again, at: start).count == 1)
  }

  @Test func `a record that is refused stops no others`() {
    var schedule = schedule()
    for number in 1...2 as ClosedRange<UInt64> { schedule.add(number) }
    let refusal = RecordFailure(.data, "odd")
    _ = (schedule.start(at: start), schedule.start(at: start))
    #expect(schedule.finish(1, .refused(refusal), at: start) == [.refused(1, refusal)])
    #expect(schedule.finish(2, .delivered, at: start) == [.delivered(2)])
    #expect(schedule.start(at: start) == nil)
  }

  @Test func `a pause that the server wants counts instead of ours`() {
    var schedule = schedule()
    schedule.add(1)
    _ = schedule.start(at: start)
    _ = schedule.finish(1, .again("busy", after: .seconds(7)), at: start)
    #expect(schedule.due == start + .seconds(7))
  }

  @Test func `a server that nobody has reached is waited for, or not`() {
    let refused = HTTPVerdict.unreachable("nobody")
    var waiting = schedule()
    var impatient = schedule(waits: false)
    for number in [1, 2] as [UInt64] {
      waiting.add(number)
      impatient.add(number)
    }
    _ = (waiting.start(at: start), impatient.start(at: start))
    guard case .notice = waiting.finish(1, refused, at: start).first else {
      Issue.record("not waited for")
      return
    }
    guard case .failed(let failure) = impatient.finish(1, refused, at: start).first else {
      Issue.record("waited for")
      return
    }
    #expect(failure.kind == .later)
    var known = schedule(waits: false)
    for number in [1, 2] as [UInt64] { known.add(number) }
    _ = (known.start(at: start), known.start(at: start))
    _ = known.finish(1, .delivered, at: start)
    guard case .notice = known.finish(2, refused, at: start).first else {
      Issue.record("a server that was there is not waited for")
      return
    }
  }
}
