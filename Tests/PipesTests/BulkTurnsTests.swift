import Model
import SystemRuntime
import Testing

@testable import Pipes

/// One whose turn was taken from it.
private struct Slow: Equatable {
  let identifier: UInt64
  let isBulk: Bool
}

/// `#expect` takes no mutating call.
private final class Turns {
  private var turns: BulkTurns

  init(rests: Bool = true) { turns = BulkTurns(rests: rests) }

  var hasWaiting: Bool { turns.hasWaiting }
  var nextLook: Instant? { turns.nextLook }
  func areNeeded(at now: Instant) -> Bool { turns.areNeeded(at: now) }
  func sawOthers(at now: Instant) { turns.sawOthers(at: now) }
  func begin(_ identifier: UInt64, at now: Instant) -> Bool {
    turns.begin(identifier, at: now)
  }
  func wait(_ identifier: UInt64) { turns.wait(identifier) }
  func moved(_ bytes: Int, by identifier: UInt64, at now: Instant) {
    turns.moved(bytes, by: identifier, at: now)
  }
  func leave(_ identifier: UInt64, at now: Instant) { turns.leave(identifier, at: now) }
  func takeSlow(at now: Instant) -> Slow? { turns.takeSlow(at: now).map { Slow(identifier: $0, isBulk: $1) } }
  func next(at now: Instant) -> UInt64? { turns.next(at: now) }
  func rest(until end: Instant) { turns.rest(until: end) }
}

@Suite struct BulkTurnsTests {
  private let start = Instant.now

  private func neededTurns() -> Turns {
    let turns = Turns()
    turns.sawOthers(at: start)
    return turns
  }

  @Test func `one has its turn and the others wait`() {
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    #expect(turns.begin(1, at: start))
    #expect(!turns.hasWaiting)
    #expect(turns.nextLook == nil)
    for other: UInt64 in [2, 3] {
      #expect(!turns.begin(other, at: start))
      turns.wait(other)
    }
    #expect(turns.hasWaiting)
    #expect(turns.next(at: start) == nil)
    turns.moved(BulkTurns.size - 1, by: 1, at: start)
    #expect(turns.next(at: start) == nil)
    turns.moved(1, by: 1, at: start)
    #expect(!turns.begin(1, at: start))
    #expect(turns.next(at: start) == 2)
    #expect(turns.begin(2, at: start))
    #expect(!turns.begin(1, at: start))
  }

  @Test func `alone it goes on for ever, and whoever comes then waits for one turn at most`() {
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    for _ in 0..<100 { turns.moved(BulkTurns.size, by: 1, at: start) }
    #expect(turns.begin(1, at: start))
    #expect(!turns.begin(2, at: start))
    turns.wait(2)
    turns.moved(BulkTurns.size, by: 1, at: start)
    #expect(turns.next(at: start) == 2)
  }

  @Test func `one that has nothing to move loses its turn only when others wait`() {
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    let late = start + BulkTurns.patience
    #expect(turns.takeSlow(at: late) == nil)
    #expect(!turns.begin(2, at: late))
    turns.wait(2)
    #expect(turns.nextLook == late)
    #expect(turns.takeSlow(at: late - .nanoseconds(1)) == nil)
    turns.moved(1, by: 1, at: late)
    #expect(turns.takeSlow(at: late) == nil)
    #expect(turns.nextLook == late + BulkTurns.patience)
    #expect(turns.takeSlow(at: late + BulkTurns.patience) == Slow(identifier: 1, isBulk: false))
    #expect(turns.takeSlow(at: late + BulkTurns.patience) == nil)
    // It moved bytes for 10 ms.
    #expect(turns.next(at: late + BulkTurns.patience) == nil)
    #expect(turns.next(at: late + BulkTurns.patience + .milliseconds(5)) == 2)
  }

  @Test func `who leaves makes room, and who does not have the turn makes none`() {
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    #expect(!turns.begin(2, at: start))
    turns.wait(2)
    turns.leave(2, at: start)
    turns.moved(BulkTurns.size, by: 2, at: start)
    #expect(turns.next(at: start) == nil)
    turns.leave(1, at: start)
    // Nobody passes those that wait.
    #expect(!turns.begin(3, at: start))
    #expect(turns.next(at: start) == 2)
  }

  @Test func `after a turn nobody has one for a while, in proportion to how long it moved bytes`() {
    for (took, rest) in [(8, 4), (10, 5), (40, 20), (900, 20)] as [(Double, Double)] {
      let turns = neededTurns()
      #expect(turns.begin(1, at: start))
      turns.wait(2)
      let end = start + .milliseconds(took)
      turns.sawOthers(at: end)
      turns.moved(BulkTurns.size, by: 1, at: end)
      let over = end + .milliseconds(rest)
      #expect(turns.nextLook == over)
      #expect(turns.next(at: over - .nanoseconds(1)) == nil)
      #expect(!turns.begin(3, at: over - .nanoseconds(1)))
      #expect(turns.next(at: over) == 2)
    }
    // So it is for one whose receiver does not read.
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    turns.wait(2)
    turns.moved(1, by: 1, at: start + .milliseconds(10))
    turns.leave(1, at: start + .milliseconds(10))
    #expect(turns.next(at: start + .milliseconds(14)) == nil)
    #expect(turns.next(at: start + .milliseconds(15)) == 2)
  }

  @Test func `after short turns nobody rests until the pause for all of them is worth it`() {
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    for turn in 1...3 {
      let (holder, next) = (UInt64(turn), UInt64(turn + 1))
      turns.wait(next)
      let end = start + .milliseconds(3 * turn)
      turns.moved(BulkTurns.size, by: holder, at: end)
      // 1.5, 3 and 4.5 ms.
      #expect(turns.next(at: end) == (turn < 3 ? next : nil))
    }
    #expect(turns.nextLook == start + .milliseconds(13.5))
    #expect(turns.next(at: start + .milliseconds(13.5)) == 4)
    // And from the beginning.
    turns.wait(5)
    turns.moved(BulkTurns.size, by: 4, at: start + .milliseconds(16))
    #expect(turns.next(at: start + .milliseconds(16)) == 5)
  }

  @Test func `where another worker rests this one does, and for its own turns as well`() {
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    turns.wait(2)
    turns.moved(BulkTurns.size, by: 1, at: start + .milliseconds(6))
    turns.rest(until: start + .milliseconds(10))
    // What is known already.
    turns.rest(until: start + .milliseconds(9))
    #expect(turns.next(at: start + .milliseconds(9)) == nil)
    #expect(turns.nextLook == start + .milliseconds(10))
    #expect(turns.next(at: start + .milliseconds(10)) == 2)
    // The first turn's pause of 3 ms was part of that rest.
    turns.wait(3)
    turns.moved(BulkTurns.size, by: 2, at: start + .milliseconds(17))
    #expect(turns.next(at: start + .milliseconds(17)) == 3)
    // Who has the turn keeps it, and its pause ends with the rest.
    turns.rest(until: start + .milliseconds(40))
    #expect(turns.begin(3, at: start + .milliseconds(18)))
    turns.wait(4)
    turns.moved(BulkTurns.size, by: 3, at: start + .milliseconds(27))
    #expect(turns.next(at: start + .milliseconds(39)) == nil)
    #expect(turns.next(at: start + .milliseconds(40)) == 4)
    turns.wait(5)
    turns.moved(BulkTurns.size, by: 4, at: start + .milliseconds(41))
    #expect(turns.next(at: start + .milliseconds(41)) == 5)
  }

  @Test func `one that is alone at its worker rests with the others, at the end of its turn`() {
    let turns = neededTurns()
    #expect(turns.begin(1, at: start))
    turns.rest(until: start + .milliseconds(10))
    turns.moved(BulkTurns.size - 1, by: 1, at: start + .milliseconds(1))
    #expect(turns.begin(1, at: start + .milliseconds(1)))
    turns.moved(1, by: 1, at: start + .milliseconds(2))
    #expect(!turns.begin(1, at: start + .milliseconds(9)))
    turns.wait(1)
    #expect(turns.nextLook == start + .milliseconds(10))
    #expect(turns.next(at: start + .milliseconds(10)) == 1)
  }

  @Test func `nobody rests where nobody waits, or turns are needed no more`() {
    let alone = neededTurns()
    #expect(alone.begin(1, at: start))
    alone.moved(1, by: 1, at: start + .milliseconds(10))
    alone.leave(1, at: start + .milliseconds(10))
    #expect(alone.begin(2, at: start + .milliseconds(10)))
    let late = start + BulkTurns.memory
    let unneeded = neededTurns()
    #expect(unneeded.begin(1, at: start))
    unneeded.wait(2)
    unneeded.moved(1, by: 1, at: late)
    unneeded.leave(1, at: late)
    #expect(unneeded.next(at: late) == 2)
  }

  @Test func `one whose sender only waits for a processor still counts as bulk`() {
    for (moved, isBulk) in [(BulkTurns.portion - 1, false), (BulkTurns.portion, true)] {
      let turns = neededTurns()
      #expect(turns.begin(1, at: start))
      turns.wait(2)
      turns.moved(moved, by: 1, at: start)
      let late = start + BulkTurns.patience
      #expect(turns.takeSlow(at: late) == Slow(identifier: 1, isBulk: isBulk))
      #expect(turns.next(at: late) == 2)
    }
  }

  @Test func `alone it stays bulk over its turns, and where processors are many nobody rests`() {
    let turns = Turns(rests: false)
    turns.sawOthers(at: start)
    #expect(turns.begin(1, at: start))
    let end = start + .milliseconds(10)
    turns.moved(BulkTurns.size, by: 1, at: end)
    turns.wait(2)
    let late = end + BulkTurns.patience
    #expect(turns.takeSlow(at: late) == Slow(identifier: 1, isBulk: true))
    #expect(turns.next(at: late) == 2)
    turns.wait(1)
    turns.moved(BulkTurns.size, by: 2, at: late + .milliseconds(10))
    #expect(turns.next(at: late + .milliseconds(10)) == 1)
  }

  @Test func `what another worker saw before changes nothing`() {
    let turns = neededTurns()
    turns.sawOthers(at: start - .seconds(1))
    #expect(turns.areNeeded(at: start + BulkTurns.memory - .nanoseconds(1)))
  }

  @Test func `many are served in the order in which they came, and the queue does not grow`() {
    let turns = neededTurns()
    #expect(turns.begin(0, at: start))
    for other: UInt64 in 1..<5000 { turns.wait(other) }
    var served: [UInt64] = []
    for _ in 0..<3 {
      for _ in 0..<5000 {
        let holder = served.last ?? 0
        turns.wait(holder)
        turns.moved(BulkTurns.size, by: holder, at: start)
        guard let next = turns.next(at: start) else { break }
        served.append(next)
      }
    }
    #expect(served == (1...15000).map { UInt64($0 % 5000) })
  }

  @Test func `without others those that wait go on, all of them`() {
    let turns = Turns()
    #expect(!turns.areNeeded(at: start))
    turns.sawOthers(at: start)
    #expect(turns.begin(1, at: start))
    for other: UInt64 in [2, 3] { turns.wait(other) }
    let late = start + BulkTurns.memory
    #expect(turns.areNeeded(at: late - .nanoseconds(1)))
    #expect(turns.next(at: late - .nanoseconds(1)) == nil)
    #expect(!turns.areNeeded(at: late))
    for expected: UInt64? in [2, 3, nil] { #expect(turns.next(at: late) == expected) }
    #expect(turns.nextLook == nil)
  }
}
