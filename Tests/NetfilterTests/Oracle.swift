import CNetfilterConntrack
import Glibc
import Model

/// libnetfilter_conntrack's own reading of a message, as a flow.
enum Oracle {
  struct Refused: Error {}

  static func flow(_ message: [UInt8]) throws -> Flow {
    guard let entry = unsafe nfct_new() else { throw Refused() }
    defer { unsafe nfct_destroy(entry) }
    let result = unsafe message.withUnsafeBytes {
      unsafe nfct_nlmsg_parse($0.baseAddress?.assumingMemoryBound(to: nlmsghdr.self), entry)
    }
    guard result >= 0 else { throw Refused() }
    func has(_ attribute: nf_conntrack_attr) -> Bool { unsafe nfct_attr_is_set(entry, attribute) > 0 }
    func u8(_ attribute: nf_conntrack_attr) -> UInt8 { unsafe nfct_get_attr_u8(entry, attribute) }
    func u16(_ attribute: nf_conntrack_attr) -> UInt16 { unsafe nfct_get_attr_u16(entry, attribute) }
    func u32(_ attribute: nf_conntrack_attr) -> UInt32 { unsafe nfct_get_attr_u32(entry, attribute) }
    func u64(_ attribute: nf_conntrack_attr) -> UInt64 { unsafe nfct_get_attr_u64(entry, attribute) }
    func address(_ v4: nf_conntrack_attr, _ v6: nf_conntrack_attr) -> IPAddress {
      if has(v4) { return IPAddress(v4: UInt32(bigEndian: u32(v4))) }
      guard let raw = unsafe nfct_get_attr(entry, v6) else { return .anyV6 }
      let halves = unsafe (
        raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
      )
      return IPAddress(high: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
    }
    let transport = TransportProtocol(rawValue: u8(ATTR_ORIG_L4PROTO))
    var original = FlowTuple(
      source: Endpoint(
        address: address(ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC),
        port: UInt16(bigEndian: u16(ATTR_ORIG_PORT_SRC))),
      destination: Endpoint(
        address: address(ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST),
        port: UInt16(bigEndian: u16(ATTR_ORIG_PORT_DST))),
      transport: transport)
    var reply = FlowTuple(
      source: Endpoint(
        address: address(ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC),
        port: UInt16(bigEndian: u16(ATTR_REPL_PORT_SRC))),
      destination: Endpoint(
        address: address(ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST),
        port: UInt16(bigEndian: u16(ATTR_REPL_PORT_DST))),
      transport: transport)
    if transport.isICMP {
      // The library keeps one set of ICMP fields, the original direction's; the reply's type is its answer.
      let identifier = UInt16(bigEndian: u16(ATTR_ICMP_ID))
      original.source.port = identifier
      original.destination.port = UInt16(u8(ATTR_ICMP_TYPE)) << 8 | UInt16(u8(ATTR_ICMP_CODE))
      reply.source.port = identifier
      let answers: [UInt8: UInt8] = [8: 0, 13: 14, 15: 16, 17: 18, 128: 129]
      reply.destination.port = UInt16(answers[u8(ATTR_ICMP_TYPE)] ?? 0) << 8
    }
    var flow = Flow(
      id: u32(ATTR_ID), zone: has(ATTR_ZONE) ? u16(ATTR_ZONE) : 0,
      isOffloaded: u32(ATTR_STATUS) & (1 << 14 | 1 << 15) != 0, isCounted: has(ATTR_ORIG_COUNTER_BYTES),
      original: original, reply: reply,
      counters: FlowCounters(
        originalBytes: u64(ATTR_ORIG_COUNTER_BYTES), replyBytes: u64(ATTR_REPL_COUNTER_BYTES),
        originalPackets: u64(ATTR_ORIG_COUNTER_PACKETS), replyPackets: u64(ATTR_REPL_COUNTER_PACKETS)))
    flow.hasClosed = (7...8).contains(u8(ATTR_TCP_STATE))
    return flow
  }
}
