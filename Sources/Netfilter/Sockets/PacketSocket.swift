import SystemRuntime

/// A socket that sends and receives whole frames, past the IP stack and its connection table (packet(7)).
public struct PacketSocket: Sendable, Hashable {
  /// The inode of the socket.
  public var inode: UInt64
  /// The EtherType that it listens to; 0 for one that can only send.
  public var etherType: UInt16
  /// True when it has a ring of frames to send (PACKET_TX_RING).
  public var hasSendRing: Bool

  /// Makes a packet socket.
  public init(inode: UInt64, etherType: UInt16, hasSendRing: Bool = false) {
    self.inode = inode
    self.etherType = etherType
    self.hasSendRing = hasSendRing
  }

  /// True when it is there to send. All others can send too, but what captures, or a DHCP client, hardly does.
  public var isSender: Bool { etherType == 0 || hasSendRing }
}

/// Packet diagnostics over netlink (linux/packet_diag.h), and their text in /proc/net/packet.
enum PacketDiagnostics {
  private static let sendRing: UInt16 = 3  // PACKET_DIAG_TX_RING
  private static let showRings: UInt8 = 4  // PACKET_SHOW_RING_CFG
  private static let family: UInt8 = 17  // AF_PACKET

  /// Asks for all packet sockets (struct packet_diag_req).
  static var request: NetlinkRequest {
    let fixed: [UInt8] =
      [family, 0, 0, 0] + [0, 0, 0, 0] + [showRings, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
    return NetlinkRequest(
      type: SocketDiagnostics.messageType, flags: NetlinkHeader.Flag.dump, fixed: fixed)
  }

  /// Decodes the payload of one answer (struct packet_diag_msg and attributes); nil, and counted, when it makes
  /// no sense.
  static func decode(_ payload: borrowing RawSpan, malformed: inout UInt64) -> PacketSocket? {
    guard payload.byteCount >= 16, payload.load(0, as: UInt8.self) == family,
      let etherType = payload.load(2, as: UInt16.self), let inode = payload.load(4, as: UInt32.self)
    else {
      malformed += 1
      return nil
    }
    var socket = PacketSocket(inode: UInt64(inode), etherType: etherType)
    let isWhole = forEachAttribute(in: payload.extracting(16..<payload.byteCount)) { type, _ in
      if type == sendRing { socket.hasSendRing = true }
    }
    if !isWhole { malformed += 1 }
    return socket
  }

  /// Decodes a line of /proc/net/packet: address, references, type, EtherType in hexadecimal, interface, state,
  /// memory, uid, inode; nil when it is none. Rings are not reported there.
  static func decode(_ line: Span<UInt8>) -> PacketSocket? {
    var position = 0
    for _ in 0..<3 where !line.skipWord(&position) { return nil }
    line.skipSpaces(&position)
    guard let etherType = line.hexadecimal(&position, digits: 4) else { return nil }
    for _ in 0..<4 where !line.skipWord(&position) { return nil }
    return line.decimal(&position).map { PacketSocket(inode: $0, etherType: UInt16(etherType)) }
  }
}
