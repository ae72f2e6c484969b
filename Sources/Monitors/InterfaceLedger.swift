import Model
import Netfilter

/// What the interfaces moved between two readings, in bytes of network packets as the connection table counts them.
///
/// Counted are the interfaces by which packets come into or leave this network namespace, each byte once:
/// * not what stands on others: a bridge, bond, team or VRF (its ports count), a VLAN, macvlan or the like;
/// * not what copies others (`ifb`, `nlmon`), nor links that carry no network packets;
/// * not a veth pair with both ends here, which is a cable inside.
///
/// A tunnel counts like any other: the connection table too has the flow inside and the one that carries it.
public struct InterfaceLedger: Sendable {
  private var earlier: [Int32: Interface.Counters]?

  /// Makes a ledger that has seen nothing: the first reading is where it starts.
  public init() {}

  /// Takes the interfaces as they are now; returns what they moved since the last call, nothing the first time.
  ///
  /// A virtual interface that was not there before moved all that it has counted. A card was brought from another
  /// namespace, with what it had counted there: it starts here. What an interface moved before it was
  /// removed, after the last reading, is lost.
  public mutating func advance(to interfaces: [Interface]) -> Usage {
    defer {
      earlier = Dictionary(interfaces.lazy.map { ($0.index, $0.counters) }, uniquingKeysWith: { $1 })
    }
    guard let earlier else { return .zero }
    var usage = Usage.zero
    for interface in Self.counted(interfaces) {
      guard let header = Self.headerLength(ofLink: interface.linkType),
        let old = earlier[interface.index] ?? (interface.kind == nil ? nil : Interface.Counters())
      else { continue }
      usage += Self.difference(old, interface.counters, header: header)
    }
    return usage
  }

  /// The interfaces by which packets come and go.
  static func counted(_ interfaces: [Interface]) -> [Interface] {
    let masters = Set(interfaces.compactMap(\.master))
    return interfaces.filter { interface in
      if masters.contains(interface.index) { return false }
      guard let kind = interface.kind else { return true }
      if copying.contains(kind) { return false }
      return interface.link == nil || !standing.contains(kind)
    }
  }

  /// The bytes of link header that a frame's count includes (linux/if_arp.h); nil for links without network
  /// packets. Loopback counts packets after it took the header off (drivers/net/loopback.c).
  static func headerLength(ofLink type: UInt16) -> UInt64? {
    switch type {
    case 1: 14  // ARPHRD_ETHER
    case 772, 0xfffe: 0  // ARPHRD_LOOPBACK, ARPHRD_NONE: tun, WireGuard
    case 768, 769, 776, 778, 823, 519: 0  // Tunnels, IP in IP to GRE over IPv6; ARPHRD_RAWIP: modems
    case 512: 0  // ARPHRD_PPP: two bytes or four, as agreed
    case 32: 4  // ARPHRD_INFINIBAND: the header of IP over it
    default: nil
    }
  }

  private static let copying: Set = ["bridge", "bond", "team", "vrf", "ifb", "nlmon"]
  /// What passes its packets to `link`; tunnels, whose `link` only says which way they go, are not among them.
  private static let standing: Set = [
    "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "dsa", "rmnet", "hsr", "veth", "netkit",
  ]

  private static func difference(
    _ old: Interface.Counters, _ new: Interface.Counters, header: UInt64
  ) -> Usage {
    func moved(_ bytes: KeyPath<Interface.Counters, UInt64>, _ packets: KeyPath<Interface.Counters, UInt64>)
      -> UInt64
    {
      let frames = growth(old[keyPath: bytes], new[keyPath: bytes])
      let (headers, isTooMuch) = growth(old[keyPath: packets], new[keyPath: packets])
        .multipliedReportingOverflow(by: header)
      return isTooMuch || headers > frames ? 0 : frames - headers
    }
    return Usage(
      received: moved(\.receivedBytes, \.receivedPackets), sent: moved(\.sentBytes, \.sentPackets))
  }

  /// A counter that fell from the upper half has wrapped; any other was reset by its driver and starts at 0.
  private static func growth(_ old: UInt64, _ new: UInt64) -> UInt64 {
    new >= old || old > .max / 2 ? new &- old : new
  }
}
