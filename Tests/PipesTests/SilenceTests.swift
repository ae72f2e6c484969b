import Testing

@testable import Pipes

@Suite struct SilenceTests {
  private static let start = ContinuousClock.now
  private static let limit = Duration.seconds(80)

  /// What happens at a second: bytes are handed over, or the kernel is asked and says so much of each end.
  enum Event: Sendable {
    case moved(Int)
    case look(Int, client: Int32, target: Int32)
  }

  @Test(
    arguments: [
      // Nothing was ever on its way: the limit is exact.
      ([], 80),
      ([.look(80, client: 0, target: 0)], 80),
      // What was handed over may have been confirmed until the next look.
      ([.moved(10), .look(20, client: 0, target: 0)], 100),
      ([.moved(10), .look(20, client: 9, target: 0)], 100),
      // A peer that takes something, either one, is not silent.
      ([.moved(10), .look(20, client: 9, target: 0), .look(30, client: 8, target: 0)], 110),
      ([.moved(10), .look(20, client: 0, target: 9), .look(30, client: 0, target: 0)], 110),
      ([.moved(10), .look(20, client: 5, target: 9), .look(30, client: 5, target: 8)], 110),
      // One that takes nothing is.
      (
        [
          .moved(10), .look(20, client: 9, target: 0), .look(30, client: 9, target: 0),
          .look(90, client: 9, target: 0),
        ], 100
      ),
      // More on its way is handed over, which is said by itself.
      ([.moved(10), .look(20, client: 9, target: 0), .moved(40), .look(45, client: 20, target: 0)], 125),
    ] as [([Event], Int)])
  func `it is silent from the last byte that a socket took or a peer confirmed`(events: [Event], over: Int) {
    var silence = Silence(at: Self.start)
    var last = 0
    for event in events {
      switch event {
      case .moved(let second):
        silence.moved(at: Self.start + .seconds(second))
        #expect(!silence.isOver(Self.limit, at: Self.start + .seconds(1000)))
        #expect(silence.nextLook(Self.limit) == Self.start + .seconds(second) + Self.limit / 8)
      case .look(let second, let client, let target):
        last = second
        let found = Silence.Unconfirmed(client: client, target: target)
        silence.look(found, at: Self.start + .seconds(second))
        // While something is on its way the next look is soon, else it is at the end.
        let next = Self.start + .seconds(found == Silence.Unconfirmed() ? over : min(over, second + 10))
        #expect(silence.nextLook(Self.limit) == next)
      }
    }
    #expect(!silence.isOver(Self.limit, at: Self.start + .seconds(over) - .nanoseconds(1)))
    #expect(silence.isOver(Self.limit, at: Self.start + .seconds(over)))
    #expect(last <= over)
  }
}
