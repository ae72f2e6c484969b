import Model
import Testing

@testable import Publishing

/// What is under way, what is done and what has to go.
@Suite struct PublishScheduleTests {
  private func filled(_ count: UInt64, window: Int = 3, limit: Int = 1000, size: Int = 10) -> PublishSchedule
  {
    var schedule = PublishSchedule(window: window, limit: limit)
    for number in 0..<count { #expect(schedule.add(number, size: size).isEmpty) }
    return schedule
  }

  private func startAll(_ schedule: inout PublishSchedule) -> [UInt64] {
    var started: [UInt64] = []
    while let number = schedule.start() { started.append(number) }
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
    #expect(schedule.finish(4) && schedule.isEmpty && schedule.bytes == 0)
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
    #expect(schedule.add(5, size: 15) == [2, 3])
    #expect(schedule.bytes == 45)
    // Nothing else is left at last.
    #expect(schedule.add(6, size: 45) == [4, 5, 6] && schedule.bytes == 20)
  }

  @Test func `what was dropped while it was under way is no file any more, and keeps its place`() {
    var schedule = filled(2, window: 2, limit: 20)
    _ = startAll(&schedule)
    #expect(schedule.use(window: 2, limit: 10) == [0])
    #expect(schedule.count == 1)
    #expect(schedule.finish(0) == false)
    #expect(schedule.use(window: 2, limit: 0) == [1])
    #expect(schedule.fail(.later) == nil && schedule.isEmpty && startAll(&schedule).isEmpty)
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
    for number in 0..<UInt64(PublishSchedule.mostEntries + 2) { dropped += schedule.add(number, size: 1) }
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
      if schedule.isEmpty { break }
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
      _ = schedule.add(20, size: 1)
      let (arrived, refused) = run(&schedule, refusing: { $0 == 19 }, rounds: 5)
      #expect(arrived == [20] && refused == [19] && schedule.isEmpty)
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
}
