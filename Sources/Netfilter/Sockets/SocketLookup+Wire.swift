import Glibc
import Model
import SystemRuntime

extension SocketDiagnostics {
  package static let informationAttribute: UInt16 = 2  // INET_DIAG_INFO
  private static let cgroupAttribute: UInt16 = 21  // INET_DIAG_CGROUP_ID

  /// Asks for one socket (struct inet_diag_req_v2 with a whole inet_diag_sockid), with its tcp_info for its payload;
  /// nil for a transport whose sockets cannot be asked for one by one.
  ///
  /// The kernel looks up IPv4 addresses among the sockets of both families, so a v6 socket with a v4 peer is found.
  package static func request(
    of transport: TransportProtocol, local: Endpoint, remote: Endpoint, wantsPayload: Bool = false
  ) -> NetlinkRequest? {
    let isTCP = transport == .tcp
    guard isTCP || transport == .udp || transport == .udpLite else { return nil }
    // For datagrams the kernel takes the addresses as an arriving packet has them (net/ipv4/udp_diag.c,
    // udp_dump_one).
    let source = isTCP ? local : remote
    let destination = isTCP ? remote : local
    let isV4 = source.address.isV4
    let extensions: UInt8 = wantsPayload ? 1 << (informationAttribute - 1) : 0
    var fixed: [UInt8] = [UInt8(isV4 ? AF_INET : AF_INET6), transport.rawValue, extensions, 0]
    fixed += [0xff, 0xff, 0xff, 0xff]
    fixed.reserveCapacity(56)
    fixed += NetlinkRequest.bytes(ofBigEndian: source.port)
    fixed += NetlinkRequest.bytes(ofBigEndian: destination.port)
    append(source.address, to: &fixed)
    append(destination.address, to: &fixed)
    // Any interface; INET_DIAG_NOCOOKIE.
    fixed += [0, 0, 0, 0] + [UInt8](repeating: 0xff, count: 8)
    return NetlinkRequest(type: messageType, flags: 0, fixed: fixed)
  }

  private static func append(_ address: IPAddress, to bytes: inout [UInt8]) {
    if let bits = address.v4Bits {
      bytes += NetlinkRequest.bytes(ofBigEndian: bits) + [UInt8](repeating: 0, count: 12)
    } else {
      bytes +=
        NetlinkRequest.bytes(ofBigEndian: address.high) + NetlinkRequest.bytes(ofBigEndian: address.low)
    }
  }

  /// Decodes the payload of the answer to a look-up; nil when it makes no sense.
  static func decodeAnswer(
    _ payload: borrowing RawSpan, of transport: TransportProtocol, counts: inout Counts
  ) -> SocketLookup.Answer? {
    guard let entry = decode(payload, of: transport, counts: &counts), let cookie = cookie(payload),
      let unread = payload.load(56, as: UInt32.self)
    else { return nil }
    var cgroup: UInt64?
    var carried: Usage?
    _ = forEachAttribute(in: payload.extracting(72..<payload.byteCount)) { type, value in
      if type == cgroupAttribute { cgroup = value.load(0) }
      if type == informationAttribute, transport == .tcp { carried = Self.payload(value) }
    }
    return SocketLookup.Answer(
      socket: entry, cookie: cookie, cgroup: cgroup, payload: carried, unread: unread)
  }

  /// The socket's cookie: idiag_cookie, the lower half first.
  package static func cookie(_ payload: borrowing RawSpan) -> UInt64? {
    guard let low = payload.load(44, as: UInt32.self), let high = payload.load(48, as: UInt32.self) else {
      return nil
    }
    return UInt64(high) << 32 | UInt64(low)
  }
}
