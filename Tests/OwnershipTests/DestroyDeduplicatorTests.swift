import Model
import Testing

@testable import Ownership

/// Ends that the kernel tells more than once.
@Suite struct DestroyDeduplicatorTests {
  private static func flow(_ number: Int, bytes: UInt64 = 100) -> Flow {
    let client = Endpoint(address: IPAddress(v4: UInt32(number)), port: 1)
    let server = Endpoint(address: IPAddress(v4: 1), port: 80)
    return Flow(
      id: UInt32(number), original: FlowTuple(source: client, destination: server, transport: .udp),
      reply: FlowTuple(source: server, destination: client, transport: .udp),
      counters: FlowCounters(originalBytes: bytes))
  }

  /// `+` is made, `-` ends, `=` ends with more bytes; whether each end was reported before.
  @Test(arguments: [
    ("+1 -1", [false]), ("+1 -1 -1 -1", [false, true, true]), ("-1 -1", [false, true]),
    ("+1 -1 +1 -1", [false, false]), ("+1 -1 -1 +1 -1 -1", [false, true, false, true]),
    ("+1 +2 -1 -2 -1 -2", [false, false, true, true]), ("-1 =1 =1", [false, false, true]),
  ])
  func `an end is repeated unless its entry was made again`(events: String, repeated: [Bool]) {
    var reported = DestroyDeduplicator()
    var found: [Bool] = []
    for event in events.split(separator: " ") {
      let flow = Self.flow(event.last?.wholeNumberValue ?? 0, bytes: event.hasPrefix("=") ? 200 : 100)
      if event.hasPrefix("+") { reported.note(made: flow) } else { found.append(reported.isRepeated(flow)) }
    }
    #expect(found == repeated)
  }

  @Test func `one that is reported again and again is known among any number of others`() {
    var reported = DestroyDeduplicator()
    var repeats = 0
    for number in 0..<4 * DestroyDeduplicator.capacity {
      _ = reported.isRepeated(Self.flow(number + 1))
      if number % 1000 == 0, reported.isRepeated(Self.flow(0)) { repeats += 1 }
    }
    #expect(repeats == 4 * DestroyDeduplicator.capacity / 1000)
  }

  @Test func `the last are remembered, the oldest forgotten`() {
    var reported = DestroyDeduplicator()
    let all = 2 * DestroyDeduplicator.capacity + 1
    let first = (0..<all).count { reported.isRepeated(Self.flow($0)) }
    let last = (all - DestroyDeduplicator.capacity..<all).count { reported.isRepeated(Self.flow($0)) }
    let isOldestKnown = reported.isRepeated(Self.flow(0))
    #expect(first == 0 && last == DestroyDeduplicator.capacity && !isOldestKnown)
  }
}
