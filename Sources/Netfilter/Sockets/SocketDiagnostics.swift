import Glibc
import Model
import SystemRuntime

/// Socket diagnostics over netlink (sock_diag(7), linux/inet_diag.h): requests and the decoding of answers.
package enum SocketDiagnostics {
  /// What an answer held that could not be used.
  package struct Counts: Equatable {
    /// Messages, or lists of attributes, that end too early or claim what cannot be.
    var malformed: UInt64 = 0
    /// Attributes of a newer kernel than this code knows.
    var unknownAttributes: UInt64 = 0
  }

  /// SOCK_DIAG_BY_FAMILY (linux/sock_diag.h), the type of requests and answers.
  static let messageType: UInt16 = 20

  private enum Attribute {
    static let transport: UInt16 = 10
    static let isV6Only: UInt16 = 11
    static let last: UInt16 = 22
  }

  /// Asks for all sockets of one family that carry `transport` (struct inet_diag_req_v2).
  package static func request(family: CInt, transport: TransportProtocol) -> NetlinkRequest {
    // No extensions, no filter.
    let fixed = [UInt8(family), transport.rawValue, 0, 0] + states + [UInt8](repeating: 0, count: 48)
    return NetlinkRequest(type: messageType, flags: NetlinkHeader.Flag.dump, fixed: fixed)
  }

  /// TCPDIAG_GETSOCK (linux/inet_diag.h), the type of the older request for TCP, and of its answers.
  static let olderMessageType: UInt16 = 18

  /// Asks for the TCP sockets of both families in one walk over the kernel's table (struct inet_diag_req): the older
  /// request has no family, so that half of the walks are saved.
  /// With `wantsPayload` each comes with its tcp_info.
  package static func requestOfBothFamilies(wantsPayload: Bool = false) -> NetlinkRequest {
    let extensions: UInt8 = wantsPayload ? 1 << (informationAttribute - 1) : 0
    let fixed =
      [0, 0, 0, extensions] + [UInt8](repeating: 0, count: 48) + states + [UInt8](repeating: 0, count: 4)
    return NetlinkRequest(type: olderMessageType, flags: NetlinkHeader.Flag.dump, fixed: fixed)
  }

  /// Every state but bound-without-peer (bit 13), whose sockets move nothing.
  private static let states: [UInt8] = withBytes(of: UInt32(0x1ffe))

  /// Decodes the payload of one answer (struct inet_diag_msg and attributes); nil when it makes no sense.
  package static func decode(
    _ payload: borrowing RawSpan, of transport: TransportProtocol, counts: inout Counts
  ) -> SocketEntry? {
    guard let family = payload.load(0, as: UInt8.self), let state = payload.load(1, as: UInt8.self),
      let uid = payload.load(64, as: UInt32.self), let inode = payload.load(68, as: UInt32.self),
      let isV6 = isV6(family),
      var local = endpoint(payload, port: 4, address: 8, isV6),
      var remote = endpoint(payload, port: 6, address: 24, isV6)
    else {
      counts.malformed += 1
      return nil
    }
    var carried = transport
    var isV6Only = false
    var unknown: UInt64 = 0
    let isWhole = forEachAttribute(in: payload.extracting(72..<payload.byteCount)) { type, value in
      switch type {
      case Attribute.transport: carried = value.load(0).map(TransportProtocol.init(rawValue:)) ?? carried
      case Attribute.isV6Only: isV6Only = value.load(0, as: UInt8.self) == 1
      case ...Attribute.last: break
      default: unknown += 1
      }
    }
    counts.unknownAttributes += unknown
    if !isWhole { counts.malformed += 1 }
    if transport == .raw {
      // A raw socket's port is its protocol again; a port stays only where packets have one.
      local.port = 0
      remote.port = 0
    }
    return SocketEntry(
      transport: carried, isV6: isV6, isV6Only: isV6Only,
      state: SocketEntry.State(number: state, transport: transport, inode: UInt64(inode)),
      local: local, remote: remote, inode: UInt64(inode), uid: uid)
  }

  private static func isV6(_ family: UInt8) -> Bool? {
    switch CInt(family) {
    case AF_INET: false
    case AF_INET6: true
    default: nil
    }
  }

  private static func endpoint(
    _ payload: borrowing RawSpan, port: Int, address: Int, _ isV6: Bool
  ) -> Endpoint? {
    guard let port = payload.loadBigEndian(port, as: UInt16.self) else { return nil }
    if isV6 {
      guard let high = payload.loadBigEndian(address, as: UInt64.self),
        let low = payload.loadBigEndian(address + 8, as: UInt64.self)
      else { return nil }
      return Endpoint(address: IPAddress(high: high, low: low), port: port)
    }
    return payload.loadBigEndian(address).map { Endpoint(address: IPAddress(v4: $0), port: port) }
  }

  /// The bytes of `value` as they lie in this host's memory.
  private static func withBytes(of value: UInt32) -> [UInt8] {
    [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value.littleEndian >> $0) }
  }
}

extension SocketEntry.State {
  /// The state for a number of TCP's (include/net/tcp_states.h), as sock_diag and /proc/net write it; DCCP's are the
  /// same (include/linux/dccp.h), with more for the ways there.
  ///
  /// UDP and raw sockets use the same numbers for connected (1) and unconnected (7) and are always open. A
  /// half-closed TCP socket that a process still holds has an inode: it may still move bytes, so it is open.
  package init(number: UInt8, transport: TransportProtocol, inode: UInt64) {
    guard transport == .tcp || transport == .dccp else {
      self = .open
      return
    }
    switch number {
    case 10: self = .listening
    // ESTABLISHED, SYN_SENT, SYN_RECV, CLOSE_WAIT, NEW_SYN_RECV: an inode comes only with accept(2).
    case 1, 2, 3, 8, 12: self = .open
    default: self = inode == 0 ? .closing : .open
    }
  }
}
