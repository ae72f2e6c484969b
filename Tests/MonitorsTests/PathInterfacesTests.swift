import Lab
import Model
import Netfilter
import Patterns
import Testing

@testable import Monitors

/// Who moved how much through which interface: eth0 (2) with 10.0.0.1, eth1 (3) with 10.1.0.1, a bridge (4) of containers.
@Suite struct PathInterfacesTests {
  private static let addresses: [(IPAddress, Int32)] = [
    ("10.0.0.1", 2), ("2001:db8::1", 2), ("10.1.0.1", 3), ("172.17.0.1", 4), ("127.0.0.1", 1), ("::1", 1),
    ("fe80::1", 2), ("fe80::1", 3),
  ].map { (Scenario.address($0), $1) }

  private static func host(
    _ paths: [String], filters: [MonitorFilter] = [MonitorFilter()], hiding pid: Int32? = nil
  ) -> Scenario {
    var host = Scenario(filters: filters, hiding: pid)
    host.local = LocalAddresses(interfaces: addresses)
    host.paths = paths
    return host
  }

  private static func parts(_ readings: [Reading]) -> [Owner: [Int32: Usage]] {
    let found = readings.map { reading in
      (reading.owner, Dictionary(uniqueKeysWithValues: reading.interfaces.map { ($0.interface, $0.usage) }))
    }
    return Dictionary(uniqueKeysWithValues: found).filter { !$0.value.isEmpty }
  }

  /// A backup (1) by eth1; a browser (2) by both, over IPv6 too, and to a server (3) on this host.
  private static func twoLinks(_ paths: [String], hiding pid: Int32? = nil) -> Scenario {
    var host = host(paths, hiding: pid)
    host.socket(.tcp, "10.1.0.1:4000", "192.0.2.9:22", heldBy: 1)
    host.socket(.tcp, "10.0.0.1:4001", "192.0.2.9:443", heldBy: 2)
    host.socket(.tcp, "10.1.0.1:4002", "192.0.2.9:443", heldBy: 2)
    host.socket(.tcp, "[2001:db8::1]:4003", "[2001:db8::9]:443", heldBy: 2)
    host.socket(.tcp, "10.0.0.1:4004", "10.0.0.1:80", heldBy: 2)
    host.socket(.tcp, "10.0.0.1:80", "10.0.0.1:4004", heldBy: 3)
    host.flow(1, .tcp, "10.1.0.1:4000", "192.0.2.9:22", bytes: (90_000, 900))
    host.flow(2, .tcp, "10.0.0.1:4001", "192.0.2.9:443", bytes: (10, 100))
    host.flow(3, .tcp, "10.1.0.1:4002", "192.0.2.9:443", bytes: (20, 200))
    host.flow(4, .tcp, "[2001:db8::1]:4003", "[2001:db8::9]:443", bytes: (30, 300))
    host.flow(5, .tcp, "10.0.0.1:4004", "10.0.0.1:80", bytes: (7, 70))
    return host
  }

  @Test func `each application has what it moved through each interface that was asked for`() {
    var host = Self.twoLinks(["10.0.0.1", "10.1.0.1", "127.0.0.1"])
    let result = host.tick()
    #expect(
      Self.parts(result.readings) == [
        .pid(1): [3: Usage(900, 90_000)],
        .pid(2): [2: Usage(400, 40), 3: Usage(200, 20), 1: Usage(70, 7)], .pid(3): [1: Usage(7, 70)],
      ])
    #expect(result.owners[.pid(2)] == Usage(670, 67))
    #expect(
      host.passed == [
        PathUsage(address: Scenario.address("10.0.0.1"), interface: 2, usage: Usage(400, 40)),
        PathUsage(address: Scenario.address("10.1.0.1"), interface: 3, usage: Usage(1100, 90_020)),
        PathUsage(address: Scenario.address("127.0.0.1"), interface: 1, usage: Usage(77, 77)),
      ])
  }

  @Test(
    arguments: [
      ([], []), (["10.0.0.1"], [2]), (["2001:db8::1", "10.0.0.1"], [2]), (["192.0.2.9"], []),
      (["fe80::1"], []),
    ] as [([String], [Int32])])
  func `nothing else is told apart`(asked: [String], expected: [Int32]) {
    var host = Self.twoLinks(asked)
    let readings = host.tick().readings
    #expect(Set(readings.flatMap(\.interfaces).map(\.interface)) == Set(expected))
    // Each address is answered for itself.
    #expect(host.passed.count == (expected.isEmpty ? 0 : asked.count))
  }

  @Test func `hidden bytes count in what passed an interface`() {
    var host = Self.twoLinks(["10.1.0.1"], hiding: 1)
    let result = host.tick()
    #expect(Self.parts(result.readings) == [.pid(2): [3: Usage(200, 20)]])
    #expect(host.passed.map(\.usage) == [Usage(1100, 90_020)])
  }

  @Test func `what is not shown of a row is not shown of an interface`() throws {
    let filter = MonitorFilter(
      include: [], exclude: [], ignoresLocal: true, excludesTunnels: false)
    var host = Self.host(["127.0.0.1", "10.0.0.1"], filters: [filter])
    host.socket(.tcp, "10.0.0.1:4001", "192.0.2.9:443", heldBy: 1)
    host.socket(.tcp, "127.0.0.1:4002", "127.0.0.1:80", heldBy: 1)
    host.flow(1, .tcp, "10.0.0.1:4001", "192.0.2.9:443", bytes: (10, 100))
    host.flow(2, .tcp, "127.0.0.1:4002", "127.0.0.1:80", bytes: (5, 6))
    let result = host.tick()
    #expect(result.owners[.pid(1)] == Usage(100, 10))
    #expect(Self.parts(result.readings) == [.pid(1): [2: Usage(100, 10)]])
  }

  struct Passing: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Both ends of the original tuple, and of the reply where it is not that turned round.
    var flow: (String, String)
    var reply: (String, String)?
    /// Of 10 bytes there and 100 back.
    var expected: [Int32: Usage]
  }

  @Test(arguments: [
    Passing(
      testDescription: "routed", flow: ("10.0.0.7:1", "10.1.0.7:2"), reply: nil, expected: [:]),
    Passing(
      testDescription: "masqueraded to eth1", flow: ("10.0.0.7:1", "192.0.2.9:2"),
      reply: ("192.0.2.9:2", "10.1.0.1:1"), expected: [3: Usage(100, 10)]),
    Passing(
      testDescription: "a port of eth1 that leads inside", flow: ("192.0.2.9:1", "10.1.0.1:2"),
      reply: ("10.0.0.7:2", "192.0.2.9:1"), expected: [3: Usage(10, 100)]),
    Passing(
      testDescription: "in by eth0, masqueraded to eth1", flow: ("10.0.0.7:1", "10.0.0.1:2"),
      reply: ("192.0.2.9:2", "10.1.0.1:1"), expected: [2: Usage(10, 100), 3: Usage(100, 10)]),
  ]) func `what passes this host counts on the side that has its address`(passing: Passing) {
    var host = Self.host(["10.0.0.1", "10.1.0.1"])
    host.flow(1, .tcp, passing.flow.0, passing.flow.1, reply: passing.reply, bytes: (10, 100))
    let result = host.tick()
    #expect(result.owners == [.forwarded: Usage(110, 110)])
    #expect(Self.parts(result.readings)[.forwarded] ?? [:] == passing.expected)
  }

  @Test func `a container's bytes count by the address that its peer sees`() {
    var host = Self.host(["10.0.0.1", "172.17.0.1"])
    host.namespaces[7] = (["172.17.0.2"], [])
    host.socket(in: 7, .tcp, "172.17.0.2:4000", "192.0.2.9:443", heldBy: 1)
    host.socket(in: 7, .tcp, "172.17.0.2:80", "192.0.2.8:5000", heldBy: 2)
    host.socket(in: 7, .tcp, "172.17.0.2:4001", "172.17.0.1:53", heldBy: 3)
    host.socket(.tcp, "172.17.0.1:53", "172.17.0.2:4001", heldBy: 4)
    host.flow(
      1, .tcp, "172.17.0.2:4000", "192.0.2.9:443", reply: ("192.0.2.9:443", "10.0.0.1:4000"), bytes: (10, 100)
    )
    host.flow(
      2, .tcp, "192.0.2.8:5000", "10.0.0.1:8080", reply: ("172.17.0.2:80", "192.0.2.8:5000"), bytes: (20, 200)
    )
    host.flow(3, .tcp, "172.17.0.2:4001", "172.17.0.1:53", bytes: (3, 30))
    #expect(
      Self.parts(host.tick().readings) == [
        .pid(1): [2: Usage(100, 10)], .pid(2): [2: Usage(20, 200)], .pid(3): [4: Usage(30, 3)],
        .pid(4): [4: Usage(3, 30)],
      ])
  }

  /// Law: no interface has a byte that its row has not, and all rows of an interface have what passed it.
  @Test(arguments: 0..<50) func `conservation on random hosts`(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let filter = MonitorFilter(
      include: try Bool.random(using: &generator) ? [Pattern("process [1-3]")] : [], exclude: [],
      ignoresLocal: .random(using: &generator), excludesTunnels: false)
    var host = Self.host(["10.0.0.1", "10.1.0.1", "127.0.0.1"], filters: [filter])
    let ends = ["10.0.0.1", "10.1.0.1", "127.0.0.1", "192.0.2.9", "172.30.0.2"]
    for id in 1...UInt32(40) {
      let source = "\(ends.randomElement(using: &generator) ?? ""):\(4000 + id)"
      let destination = "\(ends.randomElement(using: &generator) ?? ""):80"
      let isTranslated = Bool.random(using: &generator)
      if !isTranslated {
        host.socket(.tcp, source, destination, heldBy: Int32.random(in: 1...5, using: &generator))
      }
      let bytes = (
        UInt64.random(in: 0...5000, using: &generator), UInt64.random(in: 0...5000, using: &generator)
      )
      host.flow(
        id, .tcp, source, destination, reply: isTranslated ? (destination, "10.1.0.1:\(9000 + id)") : nil,
        bytes: bytes)
    }
    let result = host.tick()
    var sums: [Int32: Usage] = [:]
    for reading in result.readings {
      let sum = reading.interfaces.reduce(Usage.zero) { $0 + $1.usage }
      #expect(sum.received <= reading.usage.received && sum.sent <= reading.usage.sent)
      for part in reading.interfaces { sums[part.interface, default: .zero] += part.usage }
    }
    let shown = sums.values.reduce(.zero, +)
    let passed = host.passed.reduce(Usage.zero) { $0 + $1.usage }
    let hidden = result.balance.hidden
    #expect(shown.received <= passed.received && passed.received <= shown.received + hidden.received)
    #expect(shown.sent <= passed.sent && passed.sent <= shown.sent + hidden.sent)
  }
}
