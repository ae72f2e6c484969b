import Model
import Testing

@testable import Netfilter

/// Which sockets may have sent a packet of a protocol without ports.
@Suite struct SocketsPortlessTests {
  private static let gre = TransportProtocol.gre

  private static func endpoint(_ address: String, _ port: UInt16 = 0) -> Endpoint {
    Endpoint(address: IPAddress(address) ?? .anyV6, port: port)
  }

  private static func socket(
    _ inode: UInt64, _ transport: TransportProtocol, _ local: String = "0.0.0.0", id: UInt16 = 0,
    remote: String = "0.0.0.0"
  ) -> SocketEntry {
    SocketEntry(
      transport: transport, isV6: local.contains(":"), local: endpoint(local, id), remote: endpoint(remote),
      inode: inode, uid: 0)
  }

  @Test(
    arguments: [
      ("none", [], [], false),
      ("its identifier", [socket(1, .icmp, id: 77)], [1], true),
      ("another identifier", [socket(1, .icmp, id: 78)], [], false),
      ("no identifier yet", [socket(1, .icmp)], [1], false),
      ("before raw sockets", [socket(1, .icmp), socket(2, .icmp, id: 77), socket(3, .raw)], [2], true),
      ("bound to the address", [socket(1, .icmp, "10.0.0.1", id: 77)], [1], true),
      ("bound to another", [socket(1, .icmp, "10.0.0.2", id: 77), socket(2, .icmp, "10.0.0.2")], [], false),
      ("connected to the peer", [socket(1, .icmp, remote: "192.0.2.9")], [1], false),
      ("connected to another", [socket(1, .icmp, remote: "192.0.2.8")], [], false),
      ("of the other family", [socket(1, .icmp, "::", id: 77), socket(2, .raw, "::")], [], false),
      ("any protocol", [socket(1, .raw)], [1], false),
      ("another protocol", [socket(1, gre), socket(2, .icmpv6, id: 77)], [], false),
      ("several", [socket(1, .icmp), socket(2, .raw), socket(3, .icmp)], [1, 2, 3], false),
      ("closed ones", [socket(0, .icmp, id: 77), socket(0, .icmp), socket(4, .icmp)], [4], false),
    ] as [(String, [SocketEntry], [UInt64], Bool)])
  func `a ping`(name: String, sockets: [SocketEntry], inodes: [UInt64], isPing: Bool) {
    let match = PortlessMatch(
      sockets, .icmp, local: Self.endpoint("10.0.0.1", 77), remote: Self.endpoint("192.0.2.9", 2048))
    #expect(match.sockets.map(\.inode) == inodes, "\(name)")
    let isFound = if case .ping = match { true } else { false }
    #expect(isFound == isPing, "\(name)")
  }

  @Test func `without an identifier only raw sockets fit`() {
    let match = PortlessMatch(
      [Self.socket(1, Self.gre), Self.socket(2, .icmp, id: 0)], Self.gre, local: Self.endpoint("10.0.0.1"),
      remote: Self.endpoint("192.0.2.9"))
    #expect(match == .raw([Self.socket(1, Self.gre)]))
  }

  @Test(arguments: [6, 17, 33, 132, 136] as [UInt8]) func `protocols with ports`(number: UInt8) {
    #expect(TransportProtocol(rawValue: number).hasPorts)
  }

  @Test(arguments: [0, 1, 2, 47, 50, 58, 89, 253, 255] as [UInt8]) func `protocols without`(number: UInt8) {
    #expect(!TransportProtocol(rawValue: number).hasPorts)
  }
}
