import Model
import Testing

@testable import Monitors

@Suite struct FlowLedgerTests {
  /// A flow of the table: identifier, ports, bytes of both directions.
  private static func flow(
    _ id: UInt32, port: UInt16 = 1, zone: UInt16 = 0, _ original: UInt64, _ reply: UInt64
  ) -> Flow {
    let client = Endpoint(address: IPAddress(v4: 0x0a00_0001), port: port)
    let server = Endpoint(address: IPAddress(v4: 0x0a00_0002), port: 80)
    return Flow(
      id: id, zone: zone, original: FlowTuple(source: client, destination: server, transport: .tcp),
      reply: FlowTuple(source: server, destination: client, transport: .tcp),
      counters: FlowCounters(originalBytes: original, replyBytes: reply))
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
    _ = ledger.advance(to: before)
    let changes = ledger.advance(to: after)
    #expect(Self.moved(changes, in: after) == expected)
    #expect(changes.gone.count == gone)
  }

  @Test func `the first table is all new`() {
    var ledger = FlowLedger(seed: 7)
    let flows = [Self.flow(1, 5, 6), Self.flow(2, 0, 1)]
    #expect(
      Self.moved(ledger.advance(to: flows), in: flows) == [
        1: Usage(received: 6, sent: 5), 2: Usage(received: 1, sent: 0),
      ])
  }

  /// A table that lives: flows come, go, grow, start again and change places; the ledger's sum must be the truth.
  @Test(arguments: 0..<20) func `random tables lose and invent nothing`(seed: UInt64) {
    var generator = Seeded(seed)
    var ledger = FlowLedger(seed: seed)
    var living: [Flow] = []
    var nextID: UInt32 = 1
    var truth = Usage.zero
    var counted = Usage.zero
    var ended = 0
    var gone = 0
    for _ in 0..<60 {
      for _ in 0..<Int.random(in: 0...40, using: &generator) {
        living.insert(Self.flow(nextID, 0, 0), at: Int.random(in: 0...living.count, using: &generator))
        nextID += 1
      }
      for index in living.indices where Bool.random(using: &generator) {
        let more = (
          UInt64.random(in: 0...9000, using: &generator), UInt64.random(in: 0...9000, using: &generator)
        )
        living[index].counters.originalBytes += more.0
        living[index].counters.replyBytes += more.1
        truth += Usage(received: more.1, sent: more.0)
      }
      if Int.random(in: 0..<8, using: &generator) == 0 { living.shuffle(using: &generator) }
      let changes = ledger.advance(to: living)
      counted += Self.moved(changes, in: living).values.reduce(.zero, +)
      gone += changes.gone.count
      let before = living.count
      living.removeAll { _ in Int.random(in: 0..<5, using: &generator) == 0 }
      ended += before - living.count
    }
    _ = ledger.advance(to: living).gone.count
    #expect(counted == truth)
    #expect(gone <= ended)
  }

  @Test func `keys of many flows differ`() {
    var keys: Set<FlowKey> = []
    for id in 0..<UInt32(200) {
      for port in 0..<UInt16(500) { keys.insert(FlowKey(Self.flow(id, port: port, 0, 0), seed: 1)) }
    }
    #expect(keys.count == 100_000)
  }
}
