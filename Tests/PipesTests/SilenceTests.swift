import Model
import SystemRuntime
import Testing

@testable import Pipes

@Suite struct SilenceTests {
  private static let start = Instant.now
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
        let found = Silence.Untaken(client: client, target: target)
        silence.look(found, at: Self.start + .seconds(second))
        // Bytes may be handed over at any moment, which asks for no look by itself: the next one is soon.
        #expect(silence.nextLook(Self.limit) == Self.start + .seconds(min(over, second + 10)))
        #expect(silence.isQuiet == (found == Silence.Untaken()))
      }
    }
    #expect(!silence.isOver(Self.limit, at: Self.start + .seconds(over) - .nanoseconds(1)))
    #expect(silence.isOver(Self.limit, at: Self.start + .seconds(over)))
    #expect(last <= over)
  }

  /// When a connection is cut that is looked at as a worker does it: when its entry in the queue of deadlines comes,
  /// which only a look replaces. At each of `moves` a byte is handed over, and at each of `confirmations` all are
  /// confirmed.
  private static func cut(moves: [Int], confirmations: [Int]) -> Instant {
    var silence = Silence(at: start)
    var unconfirmed: Int32 = 0
    var entry = silence.nextLook(limit)
    for second in 0... {
      let now = start + .seconds(second)
      while entry <= now {
        if silence.nextLook(limit) <= entry {
          silence.look(silence.isQuiet ? .init() : .init(client: unconfirmed), at: entry)
          if silence.isOver(limit, at: entry) { return entry }
        }
        entry = silence.nextLook(limit)
      }
      if moves.contains(second) {
        unconfirmed += 1
        silence.moved(at: now)
      }
      if confirmations.contains(second) { unconfirmed = 0 }
    }
    return start
  }

  @Test(
    arguments: [
      ([], []), ([1], [1]), ([1], [9]), ([1], [60]), ([9], [9]), ([11], [11]), ([79], [79]),
      ([1, 79], [1, 79]),
      ([1, 30, 100, 175], [1, 30, 100, 175]), ([5, 84], [5, 160]), (Array(0..<200), [199]),
      (Array(0..<200), Array(0..<200)), ([1, 70, 140, 210], [75, 150, 280]), ([40, 41], [41, 42]),
    ] as [([Int], [Int])])
  func `a silent connection is cut at the limit or up to an eighth of it later`(
    moves: [Int], confirmations: [Int]
  ) {
    let last = Self.start + .seconds((moves + confirmations).max() ?? 0)
    let cut = Self.cut(moves: moves, confirmations: confirmations)
    #expect(cut >= last + Self.limit)
    #expect(cut <= last + Self.limit + Self.limit / 8)
  }
}
