import Model
import SystemRuntime

/// Turns the payload of a ctnetlink message (linux/netfilter/nfnetlink_conntrack.h) into a flow.
enum FlowDecoder {
  /// NFNL_SUBSYS_CTNETLINK, in the upper byte of a message's type.
  static let subsystem: UInt16 = 1 << 8
  /// IPCTNL_MSG_CT_NEW: an entry of a dump, or a new one.
  static let entryMessage = subsystem
  /// IPCTNL_MSG_CT_DELETE: an entry that ended.
  static let deletionMessage = subsystem | 2

  /// Returns the flow in `message`, which starts with struct nfgenmsg; nil if it lacks a tuple.
  ///
  /// Attributes that are not known are passed over. `malformed` counts those that end too early or whose
  /// length cannot be; what could be read of the flow is kept.
  @inline(__always)
  static func decode(_ message: borrowing RawSpan, malformed: inout UInt64) -> Flow? {
    guard message.byteCount >= 4 else {
      malformed += 1
      return nil
    }
    var original: FlowTuple?
    var reply: FlowTuple?
    var counters = FlowCounters()
    var isCounted = false
    var id: UInt32 = 0
    var zone: UInt16 = 0
    var isOffloaded = false
    var hasClosed = false
    var broken: UInt64 = 0
    let isWhole = forEachAttribute(in: message.extracting(4..<message.byteCount)) { type, value in
      switch type {
      case Attribute.originalTuple: original = tuple(value, &zone, &broken)
      case Attribute.replyTuple: reply = tuple(value, &zone, &broken)
      case Attribute.originalCounters:
        isCounted = true
        (counters.originalPackets, counters.originalBytes) = count(value, &broken)
      case Attribute.replyCounters:
        isCounted = true
        (counters.replyPackets, counters.replyBytes) = count(value, &broken)
      case Attribute.protocolState: hasClosed = self.hasClosed(value, &broken)
      case Attribute.id: id = read(value, &broken)
      case Attribute.zone: zone = read(value, &broken)
      case Attribute.status:
        let status: UInt32 = read(value, &broken)
        isOffloaded = status & Attribute.offloadedStatus != 0
      default: break
      }
    }
    malformed += broken + (isWhole ? 0 : 1)
    guard let original, let reply else {
      if isWhole && broken == 0 { malformed += 1 }
      return nil
    }
    var flow = Flow(
      id: id, zone: zone, isOffloaded: isOffloaded, isCounted: isCounted, original: original, reply: reply,
      counters: counters)
    flow.hasClosed = hasClosed
    return flow
  }

  @inline(__always)
  private static func hasClosed(_ payload: borrowing RawSpan, _ broken: inout UInt64) -> Bool {
    var state: UInt8 = 0
    var isWhole = true
    isWhole =
      forEachAttribute(in: payload) { type, value in
        guard type == Attribute.tcp else { return }
        isWhole =
          forEachAttribute(in: value) { type, value in
            if type == Attribute.tcpState { state = read(value, &broken) }
          } && isWhole
      } && isWhole
    if !isWhole { broken += 1 }
    return Attribute.closedStates.contains(state)
  }

  @inline(__always)
  private static func tuple(
    _ payload: borrowing RawSpan, _ zone: inout UInt16, _ broken: inout UInt64
  ) -> FlowTuple? {
    var source = IPAddress.anyV6
    var destination = IPAddress.anyV6
    var ports = (source: UInt16(0), destination: UInt16(0))
    var transport: TransportProtocol?
    var directionZone = zone
    let isWhole = forEachAttribute(in: payload) { type, value in
      switch type {
      case Attribute.addresses: addresses(value, &source, &destination, &broken)
      case Attribute.transport: transport = self.transport(value, &ports, &broken)
      case Attribute.tupleZone: directionZone = read(value, &broken)
      default: break
      }
    }
    zone = directionZone
    if !isWhole { broken += 1 }
    guard let transport else { return nil }
    return FlowTuple(
      source: Endpoint(address: source, port: ports.source),
      destination: Endpoint(address: destination, port: ports.destination), transport: transport)
  }

  @inline(__always)
  private static func addresses(
    _ payload: borrowing RawSpan, _ source: inout IPAddress, _ destination: inout IPAddress,
    _ broken: inout UInt64
  ) {
    let isWhole = forEachAttribute(in: payload) { type, value in
      switch type {
      case Attribute.sourceV4: source = IPAddress(v4: read(value, &broken))
      case Attribute.destinationV4: destination = IPAddress(v4: read(value, &broken))
      case Attribute.sourceV6: source = addressV6(value, &broken)
      case Attribute.destinationV6: destination = addressV6(value, &broken)
      default: break
      }
    }
    if !isWhole { broken += 1 }
  }

  @inline(__always)
  private static func addressV6(_ value: borrowing RawSpan, _ broken: inout UInt64) -> IPAddress {
    guard let high = value.loadBigEndian(0, as: UInt64.self),
      let low = value.loadBigEndian(8, as: UInt64.self)
    else {
      broken += 1
      return .anyV6
    }
    return IPAddress(high: high, low: low)
  }

  /// Reads the protocol and its ports; for ICMP identifier, type and code in their place (see FlowTuple).
  @inline(__always)
  private static func transport(
    _ payload: borrowing RawSpan, _ ports: inout (source: UInt16, destination: UInt16),
    _ broken: inout UInt64
  ) -> TransportProtocol? {
    var number: UInt8?
    let isWhole = forEachAttribute(in: payload) { type, value in
      switch type {
      case Attribute.protocolNumber: number = read(value, &broken)
      case Attribute.sourcePort, Attribute.icmpID, Attribute.icmpv6ID: ports.source = read(value, &broken)
      case Attribute.destinationPort: ports.destination = read(value, &broken)
      case Attribute.icmpType, Attribute.icmpv6Type:
        ports.destination |= UInt16(read(value, &broken) as UInt8) << 8
      case Attribute.icmpCode, Attribute.icmpv6Code:
        ports.destination |= UInt16(read(value, &broken) as UInt8)
      default: break
      }
    }
    if !isWhole { broken += 1 }
    return number.map(TransportProtocol.init(rawValue:))
  }

  @inline(__always)
  private static func count(
    _ payload: borrowing RawSpan, _ broken: inout UInt64
  ) -> (packets: UInt64, bytes: UInt64) {
    var packets: UInt64 = 0
    var bytes: UInt64 = 0
    let isWhole = forEachAttribute(in: payload) { type, value in
      switch type {
      case Attribute.packets: packets = read(value, &broken)
      case Attribute.bytes: bytes = read(value, &broken)
      default: break
      }
    }
    if !isWhole { broken += 1 }
    return (packets, bytes)
  }

  @inline(__always)
  private static func read<Value: FixedWidthInteger & BitwiseCopyable>(
    _ value: borrowing RawSpan, _ broken: inout UInt64
  ) -> Value {
    if let number = value.loadBigEndian(0, as: Value.self) { return number }
    broken += 1
    return 0
  }

  /// Attribute numbers, under the kernel's names of linux/netfilter/nfnetlink_conntrack.h.
  private enum Attribute {
    static let originalTuple: UInt16 = 1  // CTA_TUPLE_ORIG
    static let replyTuple: UInt16 = 2  // CTA_TUPLE_REPLY
    static let status: UInt16 = 3  // CTA_STATUS
    static let protocolState: UInt16 = 4  // CTA_PROTOINFO
    static let originalCounters: UInt16 = 9  // CTA_COUNTERS_ORIG
    static let replyCounters: UInt16 = 10  // CTA_COUNTERS_REPLY
    static let id: UInt16 = 12  // CTA_ID
    static let zone: UInt16 = 18  // CTA_ZONE

    static let addresses: UInt16 = 1  // CTA_TUPLE_IP
    static let transport: UInt16 = 2  // CTA_TUPLE_PROTO
    static let tupleZone: UInt16 = 3  // CTA_TUPLE_ZONE

    static let sourceV4: UInt16 = 1  // CTA_IP_V4_SRC
    static let destinationV4: UInt16 = 2  // CTA_IP_V4_DST
    static let sourceV6: UInt16 = 3  // CTA_IP_V6_SRC
    static let destinationV6: UInt16 = 4  // CTA_IP_V6_DST

    static let protocolNumber: UInt16 = 1  // CTA_PROTO_NUM
    static let sourcePort: UInt16 = 2  // CTA_PROTO_SRC_PORT
    static let destinationPort: UInt16 = 3  // CTA_PROTO_DST_PORT
    static let icmpID: UInt16 = 4  // CTA_PROTO_ICMP_ID
    static let icmpType: UInt16 = 5  // CTA_PROTO_ICMP_TYPE
    static let icmpCode: UInt16 = 6  // CTA_PROTO_ICMP_CODE
    static let icmpv6ID: UInt16 = 7  // CTA_PROTO_ICMPV6_ID
    static let icmpv6Type: UInt16 = 8  // CTA_PROTO_ICMPV6_TYPE
    static let icmpv6Code: UInt16 = 9  // CTA_PROTO_ICMPV6_CODE

    static let tcp: UInt16 = 1  // CTA_PROTOINFO_TCP
    static let tcpState: UInt16 = 1  // CTA_PROTOINFO_TCP_STATE
    /// TCP_CONNTRACK_TIME_WAIT and TCP_CONNTRACK_CLOSE of linux/netfilter/nf_conntrack_tcp.h.
    static let closedStates: ClosedRange<UInt8> = 7...8

    static let packets: UInt16 = 1  // CTA_COUNTERS_PACKETS
    static let bytes: UInt16 = 2  // CTA_COUNTERS_BYTES

    /// IPS_OFFLOAD and IPS_HW_OFFLOAD of linux/netfilter/nf_conntrack_common.h.
    static let offloadedStatus: UInt32 = 1 << 14 | 1 << 15
  }
}
