import CNetlink
import Glibc
import Model
import SystemRuntime

/// Asks for single entries of the connection table by their original tuple, many in one message.
///
/// A dump walks all buckets of the kernel's hash table, also of a nearly empty one: while few flows live, asking for
/// each of them costs a fraction.
package struct FlowQuery: ~Copyable {
  /// A question for one flow, written once and sent each tick.
  package struct Question: Sendable {
    fileprivate let request: NetlinkRequest
  }

  /// How many go in one message: their answers must fit the receive buffer.
  private static let batch = 64
  private static let operation = "asking for connections"

  private var socket: NetlinkSocket
  package private(set) var malformed: UInt64 = 0

  package init() throws(KernelError) { socket = try NetlinkSocket(.netfilter) }

  /// The question for the entry with this original tuple and zone.
  package static func question(for flow: FlowIdentity) -> Question {
    let tuple = flow.original
    let isV4 = tuple.source.address.isV4
    var request = NetlinkRequest(
      type: FlowDecoder.subsystem | UInt16(IPCTNL_MSG_CT_GET.rawValue), flags: 0,
      fixed: NetlinkRequest.nfgenmsg(family: UInt8(isV4 ? AF_INET : AF_INET6)))
    request.addNested(UInt16(CTA_TUPLE_ORIG.rawValue)) { nested in
      nested.addNested(UInt16(CTA_TUPLE_IP.rawValue)) { addresses in
        let types = isV4 ? (CTA_IP_V4_SRC, CTA_IP_V4_DST) : (CTA_IP_V6_SRC, CTA_IP_V6_DST)
        addresses.add(UInt16(types.0.rawValue), tuple.source.address)
        addresses.add(UInt16(types.1.rawValue), tuple.destination.address)
      }
      nested.addNested(UInt16(CTA_TUPLE_PROTO.rawValue)) { $0.addTransport(of: tuple) }
    }
    if flow.zone != 0 { request.add(UInt16(CTA_ZONE.rawValue), bigEndian: flow.zone) }
    return Question(request: request)
  }

  /// Appends the entries that answer `questions` to `flows`; one that has ended has no answer.
  package mutating func ask(_ questions: [Question], into flows: inout [Flow]) throws(KernelError) {
    var rest = questions[...]
    while !rest.isEmpty {
      let requests = rest.prefix(Self.batch).map(\.request)
      rest = rest.dropFirst(requests.count)
      var broken: UInt64 = 0
      let tooLong = try socket.exchange(requests, Self.operation) { type, payload in
        guard type == FlowDecoder.entryMessage else { return }
        if let flow = FlowDecoder.decode(payload, malformed: &broken) { flows.append(flow) }
      }
      malformed += broken + UInt64(tooLong)
    }
  }
}

extension NetlinkRequest {
  /// An address in its four or sixteen bytes.
  fileprivate mutating func add(_ type: UInt16, _ address: IPAddress) {
    if let bits = address.v4Bits {
      add(type, bigEndian: bits)
    } else {
      add(type, bigEndian: UInt128(address.high) << 64 | UInt128(address.low))
    }
  }

  /// The protocol with its ports, or what stands for them (see FlowTuple).
  fileprivate mutating func addTransport(of tuple: FlowTuple) {
    add(UInt16(CTA_PROTO_NUM.rawValue), [tuple.transport.rawValue])
    let kind = UInt8(tuple.destination.port >> 8)
    let code = UInt8(tuple.destination.port & 0xff)
    switch tuple.transport {
    case .icmp:
      add(UInt16(CTA_PROTO_ICMP_ID.rawValue), bigEndian: tuple.source.port)
      add(UInt16(CTA_PROTO_ICMP_TYPE.rawValue), [kind])
      add(UInt16(CTA_PROTO_ICMP_CODE.rawValue), [code])
    case .icmpv6:
      add(UInt16(CTA_PROTO_ICMPV6_ID.rawValue), bigEndian: tuple.source.port)
      add(UInt16(CTA_PROTO_ICMPV6_TYPE.rawValue), [kind])
      add(UInt16(CTA_PROTO_ICMPV6_CODE.rawValue), [code])
    default:
      add(UInt16(CTA_PROTO_SRC_PORT.rawValue), bigEndian: tuple.source.port)
      add(UInt16(CTA_PROTO_DST_PORT.rawValue), bigEndian: tuple.destination.port)
    }
  }
}
