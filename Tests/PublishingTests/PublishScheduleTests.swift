import Model
import SystemRuntime
import Testing

@testable import Publishing

/// What is under way, what is done and what has to go.
@Suite struct PublishScheduleTests {
  private let now = Instant.now

  private func filled(_ count: UInt64, window: Int = 3, limit: Int = 1000, size: Int = 10) -> PublishSchedule
  {
    var schedule = PublishSchedule(window: window, limit: limit)
    for number in 0..<count { #expect(schedule.add(number, .usage, size: size).isEmpty) }
    return schedule
  }

  private func startAll(_ schedule: inout PublishSchedule) -> [UInt64] {
    var started: [UInt64] = []
    while let number = schedule.start(at: now) { started.append(number) }
    return started
  }

  @Test func `as many as the window are under way, oldest first`() {
    var schedule = filled(5)
    #expect(startAll(&schedule) == [0, 1, 2])
    #expect(schedule.finish(1) && schedule.count == 4 && schedule.bytes == 40)
    #expect(schedule.finish(1) == false)
    #expect(startAll(&schedule) == [3])
    for number in [0, 2, 3] as [UInt64] { #expect(schedule.finish(number) == true) }
    #expect(startAll(&schedule) == [4])
    #expect(schedule.finish(4) && schedule.count == 0 && schedule.bytes == 0)
  }

  @Test(arguments: [RecordFailure.Kind.later, .configuration])
  func `what a sink had when it ended is given to the next, in order`(kind: RecordFailure.Kind) {
    var schedule = filled(5)
    _ = startAll(&schedule)
    _ = schedule.finish(1)
    #expect(schedule.fail(kind) == nil)
    #expect(startAll(&schedule) == [0, 2, 3])
  }

  @Test func `over the bound the oldest that waits goes first, then what is under way`() {
    var schedule = filled(5, window: 2, limit: 50)
    #expect(startAll(&schedule) == [0, 1])
    #expect(schedule.add(5, .usage, size: 15) == [2, 3])
    #expect(schedule.bytes == 45)
    // Nothing else is left at last.
    #expect(schedule.add(6, .usage, size: 45) == [4, 5, 6] && schedule.bytes == 20)
  }

  @Test func `what was dropped while it was under way is no file any more, and keeps its place`() {
    var schedule = filled(2, window: 2, limit: 20)
    _ = startAll(&schedule)
    #expect(schedule.use(window: 2, limit: 10) == [0])
    #expect(schedule.count == 1)
    #expect(schedule.finish(0) == false)
    #expect(schedule.use(window: 2, limit: 0) == [1])
    #expect(schedule.fail(.later) == nil && schedule.count == 0 && startAll(&schedule).isEmpty)
  }

  @Test func `what could not be kept is taken back`() {
    var schedule = filled(2)
    schedule.withdraw(0)
    #expect(schedule.count == 2)
    schedule.withdraw(1)
    #expect(schedule.count == 1 && schedule.bytes == 10 && startAll(&schedule) == [0])
  }

  @Test func `there is a bound of their number too`() {
    var schedule = PublishSchedule(window: 1, limit: .max)
    var dropped: [UInt64] = []
    for number in 0..<UInt64(PublishSchedule.mostEntries + 2) {
      dropped += schedule.add(number, .usage, size: 1)
    }
    #expect(dropped == [0, 1] && schedule.count == PublishSchedule.mostEntries)
  }

  /// A server that refuses some; returns what arrived, what was left out, and how many sinks it took.
  private func run(
    _ schedule: inout PublishSchedule, refusing: (UInt64) -> Bool, rounds: Int
  ) -> (arrived: [UInt64], refused: [UInt64]) {
    var (arrived, refused): ([UInt64], [UInt64]) = ([], [])
    for _ in 0..<rounds {
      var isEnded = false
      while !isEnded {
        let started = startAll(&schedule)
        if started.isEmpty { break }
        for number in started {
          if refusing(number) {
            if let number = schedule.fail(.data) { refused.append(number) }
            isEnded = true
            break
          }
          if schedule.finish(number) { arrived.append(number) }
        }
      }
      if schedule.count == 0 { break }
    }
    return (arrived, refused)
  }

  @Test(arguments: [[4], [0], [0, 1, 2], [3, 9], [0, 5, 6, 19], []] as [[UInt64]])
  func `a record that is refused while others are taken is left out`(bad: [UInt64]) {
    var schedule = filled(20, window: 4)
    let (arrived, refused) = run(&schedule, refusing: { bad.contains($0) }, rounds: 40)
    // The last ones have none after them that shows it.
    #expect(refused.sorted() == bad.filter { $0 < 19 })
    #expect(Set(arrived) == Set(0..<20).subtracting(bad) && arrived.count == 20 - bad.count)
    #expect(schedule.count == bad.count { $0 == 19 })
    if bad.contains(19) {
      _ = schedule.add(20, .usage, size: 1)
      let (arrived, refused) = run(&schedule, refusing: { $0 == 19 }, rounds: 5)
      #expect(arrived == [20] && refused == [19] && schedule.count == 0)
    }
  }

  @Test func `nothing is left out while all are refused`() {
    var schedule = filled(10)
    #expect(run(&schedule, refusing: { _ in true }, rounds: 100).refused.isEmpty && schedule.count == 10)
    // Until another configuration says that it is worth a new attempt.
    #expect(startAll(&schedule).isEmpty)
    schedule.forgive()
    #expect(run(&schedule, refusing: { _ in false }, rounds: 1).arrived == Array(0..<10))
  }

  private func refuseAll(_ schedule: inout PublishSchedule, at now: Instant) -> [UInt64] {
    var refused: [UInt64] = []
    while let number = schedule.start(at: now) {
      #expect(schedule.refuse(number, .later, at: now) == false)
      refused.append(number)
    }
    return refused
  }

  @Test func `what is set aside holds no place, and one of a kind is tried again after a pause`() {
    var schedule = filled(6, window: 2)
    #expect(refuseAll(&schedule, at: now) == [0, 1, 2, 3, 4, 5])
    #expect(schedule.isIdle && schedule.count == 6 && schedule.countSetAside == 6 && schedule.bytes == 60)
    _ = schedule.add(6, .alert, size: 10)
    #expect(schedule.start(at: now) == 6 && schedule.finish(6) && schedule.countSetAside == 6)
    var (pauses, last): ([Duration], Instant) = ([], now)
    for _ in 0..<9 {
      guard let due = schedule.due else { break }
      #expect(schedule.start(at: due - .milliseconds(1)) == nil)
      #expect(refuseAll(&schedule, at: due) == [0])
      pauses.append(due - last)
      last = due
    }
    #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
  }

  @Test func `each that arrives lets two more of its kind be tried`() {
    var schedule = filled(20, window: 4)
    _ = refuseAll(&schedule, at: now)
    guard let due = schedule.due else {
      Issue.record("none is due")
      return
    }
    var (arrived, now): ([UInt64], Instant) = ([], due)
    while let number = schedule.start(at: now) {
      #expect(schedule.finish(number) == true)
      arrived.append(number)
      now += .milliseconds(1)
    }
    #expect(arrived == Array(0..<20) && schedule.count == 0 && schedule.due == nil)
  }

  @Test func `the oldest that is not under way goes first, also where it is set aside`() {
    var schedule = filled(4, window: 1, limit: 40)
    #expect(schedule.start(at: now) == 0 && schedule.refuse(0, .later, at: now) == false)
    #expect(schedule.start(at: now) == 1)
    #expect(schedule.add(4, .usage, size: 10) == [0] && schedule.add(5, .usage, size: 10) == [2])
    #expect(schedule.countSetAside == 0 && schedule.refuse(1, .later, at: now) == false)
    #expect(schedule.add(6, .usage, size: 10) == [1])
  }

  @Test func `a record that is refused for what it says is left out the second time`() {
    var schedule = filled(3, window: 3)
    #expect(startAll(&schedule) == [0, 1, 2])
    #expect(schedule.refuse(1, .data, at: now) == false && schedule.start(at: now) == nil)
    #expect(schedule.finish(0) && schedule.start(at: now) == 1)
    #expect(schedule.refuse(1, .data, at: now) && schedule.finish(2) && schedule.count == 0)
    // While all are refused none is.
    for number in 3...5 as ClosedRange<UInt64> { _ = schedule.add(number, .usage, size: 10) }
    for number in startAll(&schedule) { #expect(schedule.refuse(number, .data, at: now) == false) }
    #expect(startAll(&schedule).isEmpty && schedule.count == 3 && schedule.isIdle)
    schedule.forgive()
    #expect(startAll(&schedule) == [3, 4, 5])
  }
}
