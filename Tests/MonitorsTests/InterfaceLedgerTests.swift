import Lab
import Model
import Netfilter
import Testing

@testable import Monitors

@Suite struct InterfaceLedgerTests {
  private static func interface(
    _ index: Int32, _ type: UInt16 = 1, kind: String? = nil, master: Int32? = nil, link: Int32? = nil,
    received: (UInt64, UInt64) = (0, 0), sent: (UInt64, UInt64) = (0, 0)
  ) -> Interface {
    Interface(
      index: index, name: "if\(index)", linkType: type, kind: kind, master: master, link: link,
      counters: Interface.Counters(
        receivedBytes: received.0, sentBytes: sent.0, receivedPackets: received.1, sentPackets: sent.1))
  }

  /// Bytes and packets of the first, the second reading, by the counters of what came in.
  private static func moved(_ before: [Interface], _ after: [Interface]) -> Usage {
    var ledger = InterfaceLedger()
    #expect(ledger.advance(to: before) == .zero)
    return ledger.advance(to: after)
  }

  @Test(
    arguments: [
      ("a card", [interface(1)], [1]),
      ("loopback and a card", [interface(1, 772), interface(2)], [1, 2]),
      (
        "a bridge: its ports",
        [interface(1, master: 3), interface(2, kind: "veth", master: 3), interface(3, kind: "bridge")],
        [1, 2]
      ),
      ("a bridge without ports", [interface(1), interface(3, kind: "bridge")], [1]),
      (
        "a bond of two cards",
        [interface(1, master: 3), interface(2, master: 3), interface(3, kind: "bond")], [1, 2]
      ),
      ("a master of an unknown kind", [interface(1, master: 3), interface(3, kind: "openvswitch")], [1]),
      (
        "a VLAN on a bond",
        [interface(1, master: 3), interface(3, kind: "bond"), interface(4, kind: "vlan", link: 3)], [1]
      ),
      ("a macvlan on a card", [interface(1), interface(2, kind: "macvlan", link: 1)], [1]),
      ("a macvlan on a card of another namespace", [interface(2, kind: "macvlan")], [2]),
      ("a veth to a container", [interface(1), interface(2, kind: "veth")], [1, 2]),
      (
        "a veth pair that never leaves",
        [interface(1, kind: "veth", link: 2), interface(2, kind: "veth", link: 1)], []
      ),
      ("a tunnel over a card", [interface(1), interface(2, 778, kind: "gre", link: 1)], [1, 2]),
      ("VXLAN over a card", [interface(1), interface(2, kind: "vxlan", link: 1)], [1, 2]),
      ("WireGuard, tap", [interface(1, 0xfffe, kind: "wireguard"), interface(2, kind: "tun")], [1, 2]),
      (
        "a VM at a bridge with the card",
        [interface(1, master: 3), interface(2, kind: "tun", master: 3), interface(3, kind: "bridge")], [1, 2]
      ),
      ("copies", [interface(1), interface(2, kind: "ifb"), interface(3, 824, kind: "nlmon")], [1]),
      ("nothing", [], []),
    ] as [(String, [Interface], [Int32])])
  func `each byte is counted at one interface`(name: String, interfaces: [Interface], counted: [Int32]) {
    #expect(InterfaceLedger.counted(interfaces).map(\.index) == counted, "\(name)")
    #expect(Set(InterfaceLedger.counted(interfaces.reversed()).map(\.index)) == Set(counted), "\(name)")
  }

  @Test(
    arguments: [
      ("Ethernet", 1, 1000 - 10 * 14), ("loopback", 772, 1000), ("tun without frames", 0xfffe, 1000),
      ("IP in IP", 768, 1000), ("GRE", 778, 1000), ("SIT", 776, 1000), ("PPP", 512, 1000),
      ("InfiniBand", 32, 1000 - 10 * 4), ("netlink", 824, 0), ("CAN", 280, 0), ("a monitor", 803, 0),
    ] as [(String, UInt16, UInt64)])
  func `link headers are taken off`(name: String, type: UInt16, bytes: UInt64) {
    let after = Self.interface(1, type, received: (1000, 10), sent: (2000, 0))
    let usage = Self.moved([Self.interface(1, type)], [after])
    #expect(usage.received == bytes, "\(name)")
    #expect(usage.sent == (bytes == 0 ? 0 : 2000), "\(name)")
  }

  @Test(
    arguments: [
      ("nothing moved", [interface(1, received: (500, 1))], [interface(1, received: (500, 1))], 0),
      ("growth", [interface(1, received: (500, 1))], [interface(1, received: (1500, 2))], 986),
      ("a new veth moved all it has", [], [interface(9, kind: "veth", received: (514, 1))], 500),
      ("a card that was moved here", [], [interface(9, received: (5_000_000, 9))], 0),
      (
        "the same name again", [interface(1, kind: "tun", received: (9000, 9))],
        [interface(2, kind: "tun", received: (114, 1))], 100
      ),
      ("one that went", [interface(1, received: (500, 1))], [], 0),
      ("a driver's reset", [interface(1, received: (9000, 9))], [interface(1, received: (114, 1))], 100),
      ("64 bits full", [interface(1, received: (.max - 99, 9))], [interface(1, received: (14, 10))], 100),
      ("more headers than bytes", [interface(1)], [interface(1, received: (100, 50))], 0),
      ("hostile packets", [interface(1)], [interface(1, received: (.max, .max))], 0),
    ] as [(String, [Interface], [Interface], UInt64)])
  func `a reading after another`(name: String, before: [Interface], after: [Interface], received: UInt64) {
    #expect(Self.moved(before, after) == Usage(received, 0), "\(name)")
  }

  @Test func `a bridge that gets and loses its port counts nothing of its own`() {
    var ledger = InterfaceLedger()
    _ = ledger.advance(to: [Self.interface(1), Self.interface(2, kind: "bridge")])
    let bridged = [
      Self.interface(1, master: 2, sent: (1014, 1)), Self.interface(2, kind: "bridge", sent: (1014, 1)),
    ]
    #expect(ledger.advance(to: bridged) == Usage(0, 1000))
    #expect(
      ledger.advance(to: bridged.map { Self.interface($0.index, kind: $0.kind, sent: (1014, 1)) }) == .zero)
  }

  @Test(arguments: 0..<20) func `the sum of all deltas is what the counters grew by`(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    var ledger = InterfaceLedger()
    var interfaces = (1...4).map { Self.interface($0, 0xfffe, kind: "tun") }
    var (expected, counted) = (Usage.zero, Usage.zero)
    _ = ledger.advance(to: interfaces)
    for _ in 0..<50 {
      for place in interfaces.indices {
        let bytes = Usage(.random(in: 0..<9000, using: &generator), .random(in: 0..<9000, using: &generator))
        interfaces[place].counters.receivedBytes += bytes.received
        interfaces[place].counters.sentBytes += bytes.sent
        expected += bytes
      }
      interfaces.shuffle(using: &generator)
      counted += ledger.advance(to: interfaces)
    }
    #expect(counted == expected)
  }
}
