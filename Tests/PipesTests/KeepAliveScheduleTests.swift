import Model
import SystemRuntime
import Testing

@testable import Pipes

@Suite struct KeepAliveScheduleTests {
  /// What happens to connections, in short, after so many seconds.
  enum Event: Sendable { case began(Int), left, look(Int) }

  private static let start = Instant.now
  private static func after(_ seconds: Int) -> Instant { start + .seconds(seconds) }

  @Test(
    arguments: [
      // No timer without a young connection.
      ([], nil, []),
      ([.look(100)], nil, [false]),
      ([.began(0)], 10, []),
      // One timer for all.
      ([.began(0), .began(3), .began(9)], 10, []),
      ([.began(0), .began(3), .left], 10, []),
      ([.began(0), .left], nil, []),
      ([.began(0), .left, .look(10)], nil, [false]),
      // Short ones, one after the other, are never looked at.
      ([.began(0), .left, .began(8), .left, .began(11), .look(20)], 21, [false]),
      ([.began(0), .look(9)], 10, [false]),
      ([.began(0), .look(10)], 20, [true]),
      ([.began(0), .look(10), .look(19)], 20, [true, false]),
      // It was found to be old.
      ([.began(0), .look(10), .left], nil, [true]),
      ([.began(0), .began(5), .look(10), .left], 20, [true]),
      ([.began(0), .began(5), .look(10), .left, .look(20), .left], nil, [true, true]),
      // A worker that comes late does not make up for what it missed.
      ([.began(0), .look(35)], 45, [true]),
    ] as [([Event], Int?, [Bool])])
  func `young connections are looked at now and then, all at once`(
    events: [Event], next: Int?, looks: [Bool]
  ) {
    var schedule = KeepAliveSchedule(age: .seconds(10))
    var found: [Bool] = []
    for event in events {
      switch event {
      case .began(let seconds): schedule.began(at: Self.after(seconds))
      case .left: schedule.left()
      case .look(let seconds): found.append(schedule.isDue(at: Self.after(seconds)))
      }
    }
    #expect(schedule.nextLook == next.map(Self.after))
    #expect(found == looks)
  }

  @Test(arguments: [
    (0, 0, false), (0, 9, false), (0, 10, true), (5, 10, false), (5, 20, true), (20, 10, false),
  ])
  func `the age is over after a time`(start: Int, now: Int, isOver: Bool) {
    #expect(KeepAliveSchedule(age: .seconds(10)).isOver(Self.after(start), at: Self.after(now)) == isOver)
  }
}
