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
    for ((interfaces, flows), expected) in zip(moved, growth) {
      #expect(
        untracked.add(interfaces: Usage(interfaces, 0), flows: Usage(flows, 0)) == Usage(expected, 0),
        "\(name)")
      #expect(
        reversed.add(interfaces: Usage(0, interfaces), flows: Usage(0, flows)) == Usage(0, expected),
        "\(name)")
    }
  }

  @Test func `what comes in explains nothing that leaves`() {
    var untracked = UntrackedBytes()
    _ = untracked.add(interfaces: Usage(100, 900), flows: Usage(500, 400))
    #expect(untracked.add(interfaces: .zero, flows: .zero) == Usage(0, 500))
  }

  /// Readings that are up to an interval apart never make bytes of flows untracked, and what is untracked is found
  /// whole once all is quiet.
  @Test(arguments: 0..<100) func `skew of the readings adds nothing and hides nothing for long`(seed: UInt64)
  {
    var generator = Seeded(seed)
    var untracked = UntrackedBytes()
    var (found, sent) = (Usage.zero, Usage.zero)
    var late = Usage.zero
    for _ in 0..<60 {
      let flow = Usage(.random(in: 0..<9000, using: &generator), .random(in: 0..<9000, using: &generator))
      let frames = Usage(0, .random(in: 0..<500, using: &generator))
      sent += frames
      // Some of it is seen with the next reading of the interfaces.
      let behind = Usage(
        .random(in: 0...flow.received, using: &generator), .random(in: 0...flow.sent, using: &generator))
      found += untracked.add(interfaces: flow + frames - behind + late, flows: flow)
      #expect(found.received == 0 && found.sent <= sent.sent)
      late = behind
    }
    found += untracked.add(interfaces: late, flows: .zero)
    found += untracked.add(interfaces: .zero, flows: .zero)
    #expect(found == sent)
  }
}
