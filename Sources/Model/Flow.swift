/// A protocol number of the IP header (IANA, Protocol Numbers).
public struct TransportProtocol: Sendable, Hashable, RawRepresentable {
  /// The number in the IP header.
  public let rawValue: UInt8

  /// Makes the protocol with the given number.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Internet Control Message Protocol (RFC 792).
  public static let icmp = TransportProtocol(rawValue: 1)
  /// Transmission Control Protocol (RFC 9293).
  public static let tcp = TransportProtocol(rawValue: 6)
  /// User Datagram Protocol (RFC 768).
  public static let udp = TransportProtocol(rawValue: 17)
  /// Datagram Congestion Control Protocol (RFC 4340).
  public static let dccp = TransportProtocol(rawValue: 33)
  /// Generic Routing Encapsulation (RFC 2784).
  public static let gre = TransportProtocol(rawValue: 47)
  /// ICMP for IPv6 (RFC 4443).
  public static let icmpv6 = TransportProtocol(rawValue: 58)
  /// Stream Control Transmission Protocol (RFC 9260).
  public static let sctp = TransportProtocol(rawValue: 132)
  /// UDP-Lite (RFC 3828).
  public static let udpLite = TransportProtocol(rawValue: 136)
  /// What a raw socket is bound to that may send any protocol (raw(7)).
  public static let raw = TransportProtocol(rawValue: 255)

  /// True for ICMP of either family.
  public var isICMP: Bool { self == .icmp || self == .icmpv6 }
}

/// An address with a port.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
  /// The address.
  public var address: IPAddress
  /// The port, in host order; zero where the protocol has none.
  public var port: UInt16

  /// Makes an endpoint of an address and a port in host order.
  public init(address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// `address:port`, an IPv6 address in brackets.
  public var description: String { address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}

/// One direction of a flow as netfilter's connection table writes it.
///
/// ICMP has no ports: as in the kernel's own tuple the identifier stands in `source.port` and type and
/// code in `destination.port` (type in the upper byte).
public struct FlowTuple: Sendable, Hashable {
  // Ports beside ports: two endpoints would take 16 bytes more, of each entry of a large table.
  private var sourceAddress: IPAddress
  private var destinationAddress: IPAddress
  private var sourcePort: UInt16
  private var destinationPort: UInt16
  /// What they carry.
  public var transport: TransportProtocol

  /// Makes a tuple.
  public init(source: Endpoint, destination: Endpoint, transport: TransportProtocol) {
    (sourceAddress, sourcePort) = (source.address, source.port)
    (destinationAddress, destinationPort) = (destination.address, destination.port)
    self.transport = transport
  }

  /// Where the packets come from.
  public var source: Endpoint {
    get { Endpoint(address: sourceAddress, port: sourcePort) }
    set { (sourceAddress, sourcePort) = (newValue.address, newValue.port) }
  }

  /// Where the packets go.
  public var destination: Endpoint {
    get { Endpoint(address: destinationAddress, port: destinationPort) }
    set { (destinationAddress, destinationPort) = (newValue.address, newValue.port) }
  }

  /// As few words as distinguish tuples: large tables are searched for each event.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(
      UInt64(sourcePort) << 32 | UInt64(destinationPort) << 16 | UInt64(transport.rawValue))
    if let source = sourceAddress.v4Bits, let destination = destinationAddress.v4Bits {
      hasher.combine(UInt64(source) << 32 | UInt64(destination))
    } else {
      hasher.combine(sourceAddress)
      hasher.combine(destinationAddress)
    }
  }
}

/// Bytes and packets of a flow in conntrack's two directions, at layer 3.
public struct FlowCounters: Sendable, Hashable {
  /// Bytes in the direction of the packet that opened the flow.
  public var originalBytes: UInt64
  /// Bytes of the answers.
  public var replyBytes: UInt64
  /// Packets in the direction of the packet that opened the flow.
  public var originalPackets: UInt64
  /// Packets of the answers.
  public var replyPackets: UInt64

  /// Makes counters.
  public init(
    originalBytes: UInt64 = 0, replyBytes: UInt64 = 0, originalPackets: UInt64 = 0, replyPackets: UInt64 = 0
  ) {
    self.originalBytes = originalBytes
    self.replyBytes = replyBytes
    self.originalPackets = originalPackets
    self.replyPackets = replyPackets
  }
}

/// An entry of netfilter's connection table (linux/netfilter/nfnetlink_conntrack.h).
public struct Flow: Sendable, Hashable {
  /// The kernel's identifier of the entry (CTA_ID); zero where the source has none (/proc).
  public var id: UInt32
  /// The conntrack zone (CTA_ZONE); zero is the default zone.
  public var zone: UInt16
  /// True when a flowtable or hardware moves the packets and the counters may lag (IPS_OFFLOAD, IPS_HW_OFFLOAD).
  public var isOffloaded: Bool
  /// True when the entry has counters; false for one made while accounting was off.
  public var isCounted: Bool
  /// The packets that opened the flow, before address translation.
  public var original: FlowTuple
  /// Distinguishes the entry from one just before it with the same identifier and ends; see FlowIdentity.
  public var generation: UInt32 = 0
  /// True once a TCP connection has ended, by both ends or by a reset: what may still pass was sent before.
  public var hasClosed = false
  /// The answers as they arrive, after address translation.
  public var reply: FlowTuple
  /// What has moved since the entry was made.
  public var counters: FlowCounters

  /// Makes an entry.
  public init(
    id: UInt32, zone: UInt16 = 0, isOffloaded: Bool = false, isCounted: Bool = true,
    original: FlowTuple, reply: FlowTuple, counters: FlowCounters
  ) {
    self.id = id
    self.zone = zone
    self.isOffloaded = isOffloaded
    self.isCounted = isCounted
    self.original = original
    self.reply = reply
    self.counters = counters
  }
}
