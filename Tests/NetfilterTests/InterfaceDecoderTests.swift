import Lab
import Testing

@testable import Netfilter

/// Answers of RTM_GETLINK: struct ifinfomsg, then attributes (linux/if_link.h).
@Suite struct InterfaceDecoderTests {
  static func attribute(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [UInt8(4 + payload.count), 0, type, 0] + payload + [UInt8](repeating: 0, count: -payload.count & 3)
  }

  static func number(_ value: some FixedWidthInteger) -> [UInt8] {
    stride(from: 0, to: value.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// Family, padding, ARPHRD type, index, flags UP and RUNNING, change mask.
  static func head(_ type: UInt16, _ index: Int32) -> [UInt8] {
    [0, 0] + number(type) + number(index) + [0x41, 0, 0, 0, 0, 0, 0, 0]
  }

  /// IFLA_STATS64 of Linux 6.18: packets in and out, bytes in and out, 21 more that stay zero.
  static let counters = attribute(
    23,
    number(UInt64(17)) + number(UInt64(20)) + number(UInt64(10_978)) + number(UInt64(20_560))
      + [UInt8](repeating: 0, count: 168))
  static let name = attribute(3, Array("eth0".utf8) + [0])

  static func info(_ kind: String, data: [UInt8] = []) -> [UInt8] {
    attribute(18, attribute(1, Array(kind.utf8) + [0]) + (data.isEmpty ? [] : attribute(2, data)))
  }

  static func interface(
    _ type: UInt16 = 1, _ index: Int32 = 3, kind: String? = nil, master: Int32? = nil, link: Int32? = nil,
    carrierPort: UInt16? = nil
  ) -> Interface {
    Interface(
      index: index, name: "eth0", linkType: type, kind: kind, master: master, link: link,
      carrierPort: carrierPort,
      counters: Interface.Counters(
        receivedBytes: 10_978, sentBytes: 20_560, receivedPackets: 17, sentPackets: 20))
  }

  static let answers: [(String, [UInt8], Interface)] = [
    ("a card", head(1, 3) + name + counters, interface()),
    ("loopback", head(772, 1) + name + counters, interface(772, 1)),
    (
      "a veth whose other end is elsewhere",
      head(1, 3) + name + attribute(5, number(Int32(7))) + counters + info("veth")
        + attribute(37, number(Int32(0))), interface(kind: "veth")
    ),
    (
      "a veth whose other end is here",
      head(1, 3) + name + attribute(5, number(Int32(7))) + counters + info("veth"),
      interface(kind: "veth", link: 7)
    ),
    (
      "a port of a bridge", head(1, 3) + name + attribute(10, number(Int32(9))) + counters,
      interface(master: 9)
    ),
    (
      "a VLAN", head(1, 3) + info("vlan") + attribute(5, number(Int32(2))) + counters + name,
      interface(kind: "vlan", link: 2)
    ),
    (
      "an unbound tunnel", head(768, 3) + name + info("ipip") + attribute(5, number(Int32(0))) + counters,
      interface(768, kind: "ipip")
    ),
    (
      "VXLAN with its number and its port, 4789",
      head(1, 3) + name + counters
        + info("vxlan", data: attribute(1, number(UInt32(7))) + attribute(15, [0x12, 0xb5])),
      interface(kind: "vxlan", carrierPort: 4789)
    ),
    (
      "Geneve with its port, 6081",
      head(1, 3) + name + counters + info("geneve", data: attribute(5, [0x17, 0xc1])),
      interface(kind: "geneve", carrierPort: 6081)
    ),
    (
      "another kind with data of its own",
      head(1, 3) + name + counters + info("bridge", data: attribute(15, [0x12, 0xb5])),
      interface(kind: "bridge")
    ),
    (
      "one that names itself", head(1, 3) + name + attribute(5, number(Int32(3))) + counters, interface()
    ),
    (
      "attributes of a newer kernel", head(1, 3) + name + attribute(250, [1]) + counters + attribute(99, []),
      interface()
    ),
  ]

  private func decode(_ bytes: [UInt8]) -> (interface: Interface?, malformed: UInt64) {
    var malformed: UInt64 = 0
    let interface = InterfaceDecoder.decode(unsafe bytes.span.bytes, malformed: &malformed)
    return (interface, malformed)
  }

  @Test(arguments: answers)
  func `an answer is decoded`(name: String, bytes: [UInt8], expected: Interface) {
    let (interface, malformed) = decode(bytes)
    #expect(interface == expected && malformed == 0, "\(name)")
  }

  @Test(
    arguments: [
      ("nothing", []), ("no attributes", head(1, 3)), ("no counters", head(1, 3) + name),
      ("no name", head(1, 3) + counters), ("short counters", head(1, 3) + name + attribute(23, [1, 2, 3])),
      ("a length of zero", head(1, 3) + name + counters + [0, 0, 5, 0]),
      ("a length beyond the end", head(1, 3) + name + counters + [200, 0, 5, 0]),
    ] as [(String, [UInt8])])
  func `what cannot be used is counted`(name: String, bytes: [UInt8]) {
    let (interface, malformed) = decode(bytes)
    #expect(interface == nil && malformed == 1, "\(name)")
  }

  @Test(arguments: answers)
  func `prefixes and mutations are survived`(name: String, bytes: [UInt8], expected: Interface) {
    for length in bytes.indices {
      let (interface, malformed) = decode(Array(bytes[..<length]))
      #expect((interface == nil) == (malformed == 1), "\(name)")
    }
    var mutations = SplitMix64(seed: 21)
    for _ in 0..<2_000 {
      let (interface, malformed) = decode(mutations.mutate(bytes))
      #expect((interface == nil) == (malformed == 1), "\(name)")
    }
  }
}
