import Lab
import Model
import Testing

@testable import HTTPRecords

/// Records that fail while others are delivered.
extension PostScheduleTests {
  @Test func `a record that fails while others are delivered waits by itself, and is given back`() {
    var schedule = schedule(places: 1)
    for number in 1...20 as ClosedRange<UInt64> { schedule.add(number) }
    var now = start
    #expect(schedule.start(at: now) == 1 && schedule.finish(1, again, at: now).count == 1)
    now += .milliseconds(100)
    var other = 2 as UInt64
    func deliverAnother() {
      #expect(schedule.start(at: now) == other && schedule.finish(other, .delivered, at: now).count == 1)
      other += 1
    }
    deliverAnother()
    // The first failure may have been an outage, so there is no pause after it.
    for pause in [1, 2, 4, 8, 16, 32, 50] {
      #expect(schedule.start(at: now) == 1 && schedule.finish(1, again, at: now).isEmpty)
      now += .milliseconds(100 * pause - 1)
      deliverAnother()
      now += .milliseconds(1)
    }
    #expect(schedule.start(at: now) == 1)
    guard case .refused(1, let failure) = schedule.finish(1, again, at: now).first else {
      Issue.record("not given back")
      return
    }
    #expect(failure.kind == .later)
    #expect(failure.description.hasPrefix("busy: the server takes other messages and not this one: "))
    deliverAnother()
    // Nothing is remembered of it.
    schedule.add(1)
    #expect(schedule.start(at: now) == 1 && schedule.finish(1, again, at: now).count == 1)
  }

  @Test(arguments: [
    (HTTPVerdict.unreachable("nobody"), true), (.busy("too many", after: nil), true),
    (.again("odd", after: nil), false),
  ])
  func `what is not for the record is an outage each time, and never the record's own`(
    verdict: HTTPVerdict, isOutage: Bool
  ) {
    var schedule = schedule(places: 2)
    schedule.add(1)
    var now = start
    var actions: [PostSchedule.Action] = []
    for other in 2...40 as ClosedRange<UInt64> {
      schedule.add(other)
      #expect(schedule.start(at: now) == 1 && schedule.start(at: now) == other)
      actions += schedule.finish(1, verdict, at: now)
      #expect(schedule.finish(other, .delivered, at: now) == [.delivered(other)])
      guard actions.allSatisfy({ if case .refused = $0 { false } else { true } }) else { break }
      now = max(now, schedule.due ?? now)
    }
    let notices = actions.count { if case .notice = $0 { true } else { false } }
    #expect(notices == (isOutage ? 39 : 1) && actions.count == (isOutage ? 39 : 2))
  }

  @Test func `a record that fails while nothing is delivered is an outage, for as long as it takes`() {
    var schedule = schedule(patience: nil)
    schedule.add(1)
    var now = start
    #expect(schedule.start(at: now) == 1 && schedule.finish(1, again, at: now).count == 1)
    for _ in 1...50 {
      guard let due = schedule.due, due > now else {
        Issue.record("no pause")
        return
      }
      now = due
      #expect(schedule.start(at: now) == 1 && schedule.finish(1, again, at: now).isEmpty)
    }
  }

  @Test func `the pause that the server wants is the record's, also when others are delivered`() {
    var schedule = schedule(places: 2)
    for number in [1, 2] as [UInt64] { schedule.add(number) }
    _ = (schedule.start(at: start), schedule.start(at: start))
    #expect(schedule.finish(1, .again("busy", after: .seconds(7)), at: start).count == 1)
    #expect(schedule.finish(2, .delivered, at: start).count == 1)
    // The outage is over, its pause is not.
    var now = start + .seconds(7)
    #expect(schedule.start(at: now - .milliseconds(1)) == nil && schedule.due == now)
    schedule.add(3)
    #expect(schedule.start(at: start) == 3 && schedule.start(at: now) == 1)
    #expect(schedule.finish(1, .again("busy", after: .seconds(9)), at: now).isEmpty)
    now += .seconds(9)
    #expect(schedule.due == now && schedule.start(at: now - .milliseconds(1)) == nil)
    // What is shorter than its own pause does not count.
    #expect(schedule.finish(3, .delivered, at: now) == [.delivered(3)] && schedule.start(at: now) == 1)
    #expect(schedule.finish(1, .again("busy", after: .zero), at: now).isEmpty)
    #expect(schedule.due == now + .milliseconds(200))
  }

  @Test func `a failure in an outage is nobody's own, and the pause of one delays no other`() {
    var schedule = schedule(places: 2)
    for number in 1...3 as ClosedRange<UInt64> { schedule.add(number) }
    _ = (schedule.start(at: start), schedule.start(at: start))
    #expect(schedule.finish(1, again, at: start).count == 1)
    #expect(schedule.finish(2, .delivered, at: start).count == 1)
    #expect(schedule.start(at: start) == 1 && schedule.start(at: start) == 3)
    #expect(schedule.finish(3, again, at: start).count == 1)
    #expect(schedule.finish(1, again, at: start).isEmpty)
    var now = start + .milliseconds(100)
    #expect(schedule.due == now && schedule.start(at: now) == 3)
    #expect(schedule.finish(3, .delivered, at: now).count == 1)
    // The first that is its own.
    #expect(schedule.start(at: now) == 1 && schedule.finish(1, again, at: now).isEmpty)
    #expect(schedule.due == now + .milliseconds(100))
    for number in [4, 5] as [UInt64] { schedule.add(number) }
    #expect(schedule.start(at: now) == 4 && schedule.finish(4, .delivered, at: now).count == 1)
    now += .milliseconds(100)
    #expect(schedule.start(at: now) == 1)
    #expect(schedule.finish(1, .again("busy", after: .seconds(7)), at: now).isEmpty)
    #expect(schedule.start(at: now) == 5 && schedule.finish(5, again, at: now).count == 1)
    #expect(schedule.due == now + .milliseconds(100))
    #expect(schedule.start(at: now + .milliseconds(100)) == 5)
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func `whatever fails, all others are delivered and nothing spins`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var schedule = schedule(patience: nil, places: .random(in: 1...4, using: &random))
    let bad = Set((0..<3).map { _ in UInt64.random(in: 1...60, using: &random) })
    for number in 1...60 as ClosedRange<UInt64> { schedule.add(number) }
    var (now, running, posts) = (start, [UInt64](), 0)
    var (delivered, givenBack) = (Set<UInt64>(), Set<UInt64>())
    while delivered.count < 60 - bad.count, posts < 2000 {
      while let number = schedule.start(at: now) { running.append(number) }
      guard let place = running.indices.randomElement(using: &random) else {
        guard let due = schedule.due, due > now else {
          Issue.record("nothing is under way, and nothing is due")
          return
        }
        now = due
        continue
      }
      let number = running.remove(at: place)
      (posts, now) = (posts + 1, now + .milliseconds(.random(in: 0...20, using: &random)))
      // One answer in eight is an outage of a second.
      let isAway = (now - start).components.seconds % 8 == 7
      let verdict = isAway ? HTTPVerdict.unreachable("away") : bad.contains(number) ? again : .delivered
      for action in schedule.finish(number, verdict, at: now) {
        if case .delivered(let number) = action { delivered.insert(number) }
        if case .refused(let number, _) = action { givenBack.insert(number) }
      }
    }
    #expect(delivered == Set(1...60).subtracting(bad) && givenBack.isSubset(of: bad) && posts < 250)
  }
}
