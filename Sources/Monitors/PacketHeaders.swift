import Model
import SystemRuntime

/// How many of a flow's bytes are headers: all that is left is payload of its transport.
///
/// Per packet that netfilter sees: the IP header without options (20 bytes, IPv6 40), and for UDP and UDP-Lite 8
/// bytes, which is exact; for TCP 32, with the timestamps that all but a few hosts send in every segment (RFC 7323).
/// Other protocols' headers count as payload, as do IP options and TCP's other ones.
public enum PacketHeaders {
  /// The bytes of header in each packet of `tuple`.
  public static func length(of tuple: FlowTuple) -> UInt64 {
    let transport: UInt64 =
      switch tuple.transport {
      case .udp, .udpLite: 8
      case .tcp: 32
      default: 0
      }
    return (tuple.source.address.isV4 ? 20 : 40) + transport
  }

  /// Notes in `deltas` how many of their bytes are headers, never more than there are bytes. `packets` are those of
  /// the same `flows`, as deltas of packets.
  static func note(in deltas: inout [FlowDelta], packets: [FlowDelta], of flows: [Flow]) {
    let packets = Dictionary(packets.lazy.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    for place in deltas.indices {
      let delta = deltas[place]
      guard let moved = packets[delta.index] else { continue }
      let length = length(of: flows[delta.index].original)
      deltas[place].originalHeaders = headers(moved.original, length, in: delta.original)
      deltas[place].replyHeaders = headers(moved.reply, length, in: delta.reply)
    }
  }

  private static func headers(_ packets: UInt64, _ length: UInt64, in bytes: UInt64) -> UInt64 {
    let (headers, isTooMuch) = packets.multipliedReportingOverflow(by: length)
    return isTooMuch ? bytes : min(headers, bytes)
  }
}
