import Lab
import SystemRuntime
import Model
import Netfilter
import Testing

@testable import Monitors

@Suite struct FlowLedgerTests {
  private static let start = Instant.now

  /// A flow of the table: identifier, ports, bytes of both directions.
  private static func flow(
    _ id: UInt32, port: UInt16 = 1, zone: UInt16 = 0, generation: UInt32 = 0, _ original: UInt64,
    _ reply: UInt64
  ) -> Flow {
    let client = Endpoint(address: IPAddress(v4: 0x0a00_0001), port: port)
    let server = Endpoint(address: IPAddress(v4: 0x0a00_0002), port: 80)
    var flow = Flow(
      id: id, zone: zone, original: FlowTuple(source: client, destination: server, transport: .tcp),
      reply: FlowTuple(source: server, destination: client, transport: .tcp),
      counters: FlowCounters(originalBytes: original, replyBytes: reply))
    flow.generation = generation
    return flow
  }

  /// What moved, by identifier of the flow in the table that was given.
  private static func moved(_ changes: FlowLedger.Changes, in flows: [Flow]) -> [UInt32: Usage] {
    Dictionary(
      changes.deltas.map { (flows[$0.index].id, Usage(received: $0.reply, sent: $0.original)) },
      uniquingKeysWith: +)
  }

  @Test(
    arguments: [
      ("nothing new", [flow(1, 5, 5)], [flow(1, 5, 5)], [:], 0),
      ("growth", [flow(1, 5, 5)], [flow(1, 7, 9)], [1: Usage(received: 4, sent: 2)], 0),
      ("one direction", [flow(1, 5, 5)], [flow(1, 5, 9)], [1: Usage(received: 4, sent: 0)], 0),
      ("a new flow", [flow(1, 5, 5)], [flow(1, 5, 5), flow(2, 3, 4)], [2: Usage(received: 4, sent: 3)], 0),
      (
        "a new flow before the old", [flow(1, 5, 5)], [flow(2, 3, 4), flow(1, 5, 5)],
        [2: Usage(received: 4, sent: 3)], 0
      ),
      ("a flow gone", [flow(1, 5, 5), flow(2, 1, 1)], [flow(2, 1, 1)], [:], 1),
      ("all gone", [flow(1, 5, 5), flow(2, 1, 1)], [], [:], 2),
      (
        "the same tuple again under a new identifier", [flow(1, 5, 5)], [flow(2, 6, 6)],
        [2: Usage(received: 6, sent: 6)], 1
      ),
      ("a counter that fell", [flow(1, 50, 50)], [flow(1, 6, 60)], [1: Usage(received: 60, sent: 6)], 0),
      (
        "the same identifier in another zone", [flow(1, 5, 5)], [flow(1, zone: 9, 5, 5)],
        [1: Usage(received: 5, sent: 5)], 1
      ),
      (
        "the same identifier with another tuple", [flow(1, 5, 5)], [flow(1, port: 7, 5, 5)],
        [1: Usage(received: 5, sent: 5)], 1
      ),
      (
        "order turned round", [flow(1, 1, 1), flow(2, 1, 1), flow(3, 1, 1)],
        [flow(3, 2, 1), flow(2, 1, 2), flow(1, 1, 1)],
        [3: Usage(received: 0, sent: 1), 2: Usage(received: 1, sent: 0)], 0
      ),
      ("an empty flow", [], [flow(1, 0, 0)], [:], 0),
    ] as [(String, [Flow], [Flow], [UInt32: Usage], Int)])
  func `a table after another`(
    name: String, before: [Flow], after: [Flow], expected: [UInt32: Usage], gone: Int
  ) {
    var ledger = FlowLedger(seed: 7)
    _ = ledger.advance(to: FlowSnapshot(living: before), at: Self.start)
    let changes = ledger.advance(to: FlowSnapshot(living: after), at: Self.start)
    #expect(Self.moved(changes, in: after) == expected)
    // What left without a word is waited for, but not for ever.
    var gaveUp = changes.gone.count
    for second in 1...40 {
      let later = ledger.advance(to: FlowSnapshot(living: after), at: Self.start + .seconds(second))
      #expect(later.deltas.isEmpty && later.missed == later.gone.count)
      #expect(later.gone.isEmpty || second == 30)
      gaveUp += later.gone.count
    }
    #expect(gaveUp == gone)
  }

  /// What moved since is counted once, never negative; without the kernel's events it may be another flow.
  @Test(
    arguments: [
      ("nothing since", true, (0, 0), (0, 0), 1),
      ("one direction since", true, (0, 40), (0, 40), 1),
      ("one direction is beyond what it was", true, (3, 900), (3, 900), 1),
      ("both are beyond: nobody can tell", true, (60, 70), (10, 20), 0),
      ("some events are missing", false, (3, 4), (3, 4), 0),
    ] as [(String, Bool, (UInt64, UInt64), (UInt64, UInt64), Int)], [false, true])
  func `counters that were zeroed`(
    row: (name: String, hasAllEvents: Bool, after: (UInt64, UInt64), moved: (UInt64, UInt64), resets: Int),
    hasEnded: Bool
  ) {
    var ledger = FlowLedger(seed: 7)
    _ = ledger.advance(to: FlowSnapshot(living: [Self.flow(1, 50, 50)]), at: Self.start)
    let after = [Self.flow(1, row.after.0, row.after.1)]
    let snapshot = FlowSnapshot(
      living: hasEnded ? [] : after, ended: hasEnded ? after : [], hasAllEvents: row.hasAllEvents)
    let changes = ledger.advance(to: snapshot, at: Self.start)
    let moved = Self.moved(changes, in: after)[1] ?? .zero
    #expect(moved == Usage(received: row.moved.1, sent: row.moved.0) && changes.resets == row.resets)
    #expect(ledger.advance(to: snapshot, at: Self.start).resets == 0)
  }

  @Test func `an entry that a dump lists twice counts once`() {
    var ledger = FlowLedger(seed: 7)
    _ = ledger.advance(to: FlowSnapshot(living: [Self.flow(1, 1000, 0)]), at: Self.start)
    let twice = [Self.flow(1, 1010, 0), Self.flow(2, 5, 5), Self.flow(1, 1010, 0), Self.flow(2, 5, 5)]
    let changes = ledger.advance(to: FlowSnapshot(living: twice), at: Self.start)
    #expect(
      Self.moved(changes, in: twice) == [1: Usage(received: 0, sent: 10), 2: Usage(received: 5, sent: 5)])
    let later = ledger.advance(
      to: FlowSnapshot(living: [Self.flow(1, 1010, 0), Self.flow(2, 5, 5)]), at: Self.start)
    #expect(later == FlowLedger.Changes())
  }

  @Test func `an entry that a dump misses once is not new when it is back`() {
    var ledger = FlowLedger(seed: 7)
    _ = ledger.advance(to: FlowSnapshot(living: [Self.flow(1, 1000, 0)]), at: Self.start)
    #expect(ledger.advance(to: FlowSnapshot(living: []), at: Self.start) == FlowLedger.Changes())
    let back = [Self.flow(1, 1010, 0)]
    let changes = ledger.advance(to: FlowSnapshot(living: back), at: Self.start)
    #expect(Self.moved(changes, in: back) == [1: Usage(received: 0, sent: 10)])
  }

  @Test func `the first table is all new`() {
    var ledger = FlowLedger(seed: 7)
    let flows = [Self.flow(1, 5, 6), Self.flow(2, 0, 1)]
    #expect(
      Self.moved(ledger.advance(to: FlowSnapshot(living: flows), at: Self.start), in: flows) == [
        1: Usage(received: 6, sent: 5), 2: Usage(received: 1, sent: 0),
      ])
  }

  @Test(
    arguments: [
      ("the final bytes", [flow(1, 5, 5)], [], [flow(1, 9, 6)], Usage(received: 1, sent: 4)),
      ("nothing more", [flow(1, 5, 5)], [], [flow(1, 5, 5)], .zero),
      ("a flow that nobody saw alive", [], [], [flow(1, 9, 6)], Usage(received: 6, sent: 9)),
      (
        "still in the table while it ends", [flow(1, 5, 5)], [flow(1, 8, 6)], [flow(1, 9, 6)],
        Usage(received: 1, sent: 4)
      ),
      (
        "one ends, one lives", [flow(1, 5, 5), flow(2, 1, 1)], [flow(2, 2, 1)], [flow(1, 6, 5)],
        Usage(received: 0, sent: 2)
      ),
      (
        "another of the same ends", [flow(1, 5, 5)], [flow(2, 1, 1)], [flow(1, 5, 5)],
        Usage(received: 1, sent: 1)
      ),
      (
        "another of the same ends and identifier", [flow(1, 5, 5)], [flow(1, generation: 4, 9, 9)],
        [flow(1, 7, 5)], Usage(received: 9, sent: 11)
      ),
      (
        "three of the same ends and identifier", [flow(1, 5, 5)], [flow(1, generation: 5, 2, 2)],
        [flow(1, 7, 5), flow(1, generation: 4, 6, 6)], Usage(received: 8, sent: 10)
      ),
    ] as [(String, [Flow], [Flow], [Flow], Usage)])
  func `what ends has its final counters`(
    name: String, before: [Flow], living: [Flow], ended: [Flow], expected: Usage
  ) {
    var ledger = FlowLedger(seed: 7)
    _ = ledger.advance(to: FlowSnapshot(living: before), at: Self.start)
    let changes = ledger.advance(to: FlowSnapshot(living: living, ended: ended), at: Self.start)
    #expect(Self.moved(changes, in: living + ended).values.reduce(.zero, +) == expected, "\(name)")
    #expect(changes.gone == ended.map { ledger.key(of: $0.identity) })
  }

  /// A table that lives: flows come, go, grow and change places; their ends are reported at once, late, with the flow
  /// still listed, or never. The ledger's sum must be the truth as far as the kernel reported it.
  @Test(arguments: 0..<40, [false, true])
  func `random histories lose and invent nothing`(seed: UInt64, isInParts: Bool) {
    var generator = SplitMix64(seed: seed)
    var ledger = FlowLedger(seed: seed)
    var living: [Flow] = []
    var reports: [(flow: Flow, due: Int)] = []
    var nextID: UInt32 = 1
    var truth = Usage.zero
    var counted = Usage.zero
    for tick in 0..<80 {
      for _ in 0..<Int.random(in: 0...40, using: &generator) where tick < 40 {
        living.insert(Self.flow(nextID, 0, 0), at: Int.random(in: 0...living.count, using: &generator))
        nextID += 1
      }
      func grow(_ flow: inout Flow) {
        let more = (
          UInt64.random(in: 0...9000, using: &generator), UInt64.random(in: 0...9000, using: &generator)
        )
        flow.counters.originalBytes += more.0
        flow.counters.replyBytes += more.1
        truth += Usage(received: more.1, sent: more.0)
      }
      for index in living.indices where Bool.random(using: &generator) { grow(&living[index]) }
      var listed = living
      for flow in living where Int.random(in: 0..<6, using: &generator) == 0 {
        living.removeAll { $0.id == flow.id }
        var last = flow
        grow(&last)
        let delay = Int.random(in: 0...12, using: &generator)
        reports.append((last, tick + delay))
        // Reported at once, it may still be listed; reported later, it is no longer.
        if delay > 0 || Bool.random(using: &generator) { listed.removeAll { $0.id == flow.id } }
      }
      if Int.random(in: 0..<8, using: &generator) == 0 { listed.shuffle(using: &generator) }
      let ended = reports.filter { $0.due <= tick }.map(\.flow)
      reports.removeAll { $0.due <= tick }
      // Now and then only those that may move something are read: what is left out here moves later.
      let isPart = isInParts && tick % 5 != 0
      if isPart { listed.removeAll { $0.id % 3 == 0 } }
      let changes = ledger.advance(
        to: FlowSnapshot(living: listed, ended: ended, closedCount: isPart ? 1 : nil),
        at: Self.start + .seconds(tick))
      counted += Self.moved(changes, in: listed + ended).values.reduce(.zero, +)
    }
    let ended = reports.map(\.flow)
    let changes = ledger.advance(to: FlowSnapshot(living: living, ended: ended), at: Self.start)
    counted += Self.moved(changes, in: living + ended).values.reduce(.zero, +)
    #expect(counted == truth)
  }

  @Test func `what a reading of a part does not list is as it was`() {
    var ledger = FlowLedger(seed: 7)
    func moved(_ living: [Flow], ended: [Flow] = [], closedCount: Int?, at second: Int) -> Usage {
      let changes = ledger.advance(
        to: FlowSnapshot(living: living, ended: ended, hasAllEvents: true, closedCount: closedCount),
        at: Self.start + .seconds(second))
      #expect(changes.missed == 0 && changes.resets == 0)
      return Self.moved(changes, in: living + ended).values.reduce(.zero, +)
    }
    let all = [Self.flow(1, 5, 5), Self.flow(2, 7, 7), Self.flow(3, 1, 1)]
    #expect(moved(all, closedCount: nil, at: 0) == Usage(received: 13, sent: 13))
    #expect(
      moved([Self.flow(3, 1, 2), Self.flow(4, 6, 0)], closedCount: 2, at: 1) == Usage(received: 1, sent: 6))
    // Long after: nothing is missing.
    #expect(moved([Self.flow(4, 6, 1)], closedCount: 3, at: 100) == Usage(received: 1, sent: 0))
    #expect(
      moved([Self.flow(5, 2, 0)], ended: [Self.flow(2, 8, 7)], closedCount: 2, at: 101)
        == Usage(received: 0, sent: 3))
    #expect(ledger.count == 4)
    let rest = [Self.flow(5, 2, 0), Self.flow(1, 5, 6), Self.flow(4, 6, 1), Self.flow(3, 1, 2)]
    #expect(moved(rest, closedCount: nil, at: 102) == Usage(received: 1, sent: 0))
  }

  @Test func `keys of many flows differ`() {
    var keys: Set<FlowKey> = []
    for id in 0..<UInt32(200) {
      for port in 0..<UInt16(500) { keys.insert(FlowKey(Self.flow(id, port: port, 0, 0).identity, seed: 1)) }
    }
    #expect(keys.count == 100_000)
  }
}
