import Lab
import SystemRuntime
import Model
import Testing

@testable import Monitors

@Suite struct UntrackedBytesTests {
  @Test(
    arguments: [
      ("all explained", [(100, 100), (50, 50), (0, 0)], [0, 0, 0]),
      ("more than the flows, a reading later", [(1100, 100), (0, 0), (0, 0)], [0, 1000, 0]),
      ("in each interval", [(300, 100), (300, 100), (300, 100), (0, 0)], [0, 200, 200, 200]),
      ("a flow's last bytes come late", [(500, 0), (0, 500), (0, 0), (0, 0)], [0, 0, 0, 0]),
      (
        "flows are read after the interfaces", [(0, 80), (80, 0), (100, 180), (80, 0), (0, 0)],
        [0, 0, 0, 0, 0]
      ),
      ("what the flows are ahead is made up for first", [(0, 300), (1000, 0), (0, 0)], [0, 0, 700]),
      (
        "late bytes take nothing back", [(500, 0), (0, 0), (0, 500), (400, 0), (200, 0), (0, 0)],
        [0, 500, 0, 0, 0, 100]
      ),
      ("nothing moves", [(0, 0), (0, 0)], [0, 0]),
    ] as [(String, [(UInt64, UInt64)], [UInt64])])
  func `interfaces beside flows`(name: String, moved: [(UInt64, UInt64)], growth: [UInt64]) {
    var untracked = UntrackedBytes()
    var reversed = UntrackedBytes()
    var now = Instant.now
    _ = untracked.add(interfaces: .zero, flows: .zero, at: now)
    _ = reversed.add(interfaces: .zero, flows: .zero, at: now)
    for ((interfaces, flows), expected) in zip(moved, growth) {
      now += .seconds(1)
      let received = untracked.add(interfaces: Usage(interfaces, 0), flows: Usage(flows, 0), at: now)
      #expect(received.growth == Usage(expected, 0), "\(name)")
      let sent = reversed.add(interfaces: Usage(0, interfaces), flows: Usage(0, flows), at: now)
      #expect(sent.growth == Usage(0, expected), "\(name)")
    }
  }

  @Test(
    arguments: [
      ("a second each", 1000, [0, 0, 700, 0, 0], [0, 0, 700, 0, 0]),
      ("ten seconds each", 10_000, [0, 0, 700, 0, 0], [0, 0, 700, 0, 0]),
      ("half a second each", 500, [0, 0, 0, 700, 0], [0, 0, 0, 700, 0]),
      ("a third each", 300, [0, 0, 0, 0, 700], [0, 0, 0, 0, 700]),
      ("a tenth each: not yet", 100, [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
    ])
  func `a difference lasts for most of a second and a reading more`(
    name: String, milliseconds: Int, growth: [UInt64], among: [UInt64]
  ) {
    var untracked = UntrackedBytes()
    let start = Instant.now
    for place in growth.indices {
      let result = untracked.add(
        interfaces: place == 1 ? Usage(0, 700) : .zero, flows: .zero,
        at: start + .milliseconds(milliseconds * place))
      #expect(result.growth == Usage(0, growth[place]), "\(name)")
      #expect(result.among == Usage(0, among[place]), "\(name)")
    }
  }

  @Test func `a flow that is reported late by many short intervals is not untracked`() {
    var untracked = UntrackedBytes()
    let start = Instant.now
    for place in 0..<40 {
      let isLate = (5..<12).contains(place)
      let result = untracked.add(
        interfaces: Usage(0, 100), flows: Usage(0, isLate ? 0 : place == 12 ? 800 : 100),
        at: start + .milliseconds(100 * place))
      #expect(result.growth == .zero)
    }
  }

  @Test func `what comes in explains nothing that leaves`() {
    var untracked = UntrackedBytes()
    let start = Instant.now
    _ = untracked.add(interfaces: .zero, flows: .zero, at: start)
    _ = untracked.add(interfaces: Usage(100, 900), flows: Usage(500, 400), at: start + .seconds(1))
    let result = untracked.add(interfaces: .zero, flows: .zero, at: start + .seconds(2))
    #expect(result.growth == Usage(0, 500) && result.among == Usage(100, 900))
  }

  /// Readings that are up to an interval apart never make bytes of flows untracked, and what is untracked is found
  /// whole once all is quiet.
  @Test(arguments: 0..<100) func `skew of the readings adds nothing and hides nothing for long`(seed: UInt64)
  {
    var generator = SplitMix64(seed: seed)
    var untracked = UntrackedBytes()
    var (found, sent) = (Usage.zero, Usage.zero)
    var late = Usage.zero
    var now = Instant.now
    for _ in 0..<60 {
      now += .seconds(1)
      let flow = Usage(.random(in: 0..<9000, using: &generator), .random(in: 0..<9000, using: &generator))
      let frames = Usage(0, .random(in: 0..<500, using: &generator))
      sent += frames
      // Some of it is seen with the next reading of the interfaces.
      let behind = Usage(
        .random(in: 0...flow.received, using: &generator), .random(in: 0...flow.sent, using: &generator))
      found += untracked.add(interfaces: flow + frames - behind + late, flows: flow, at: now).growth
      #expect(found.received == 0 && found.sent <= sent.sent)
      late = behind
    }
    found += untracked.add(interfaces: late, flows: .zero, at: now + .seconds(1)).growth
    found += untracked.add(interfaces: .zero, flows: .zero, at: now + .seconds(2)).growth
    #expect(found == sent)
  }
}
