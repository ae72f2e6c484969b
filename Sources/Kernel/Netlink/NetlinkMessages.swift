/// The header of a netlink message (netlink(7), struct nlmsghdr).
struct NetlinkHeader {
  static let byteCount = 16

  var type: UInt16
  var flags: UInt16
  var sequence: UInt32

  /// What ends or replaces an answer (linux/netlink.h).
  enum Control {
    static let noop: UInt16 = 1
    static let error: UInt16 = 2
    static let done: UInt16 = 3
    static let overrun: UInt16 = 4
  }
  enum Flag {
    static let request: UInt16 = 0x001
    static let acknowledge: UInt16 = 0x004
    static let interrupted: UInt16 = 0x010
    static let dump: UInt16 = 0x300
    static let create: UInt16 = 0x400
    static let exclusive: UInt16 = 0x200
  }
}

/// Calls `body` with the header and payload of each message in a datagram.
///
/// Returns false when the bytes end inside a message or one claims an impossible length.
@inline(__always)
func forEachMessage(in datagram: borrowing RawSpan, _ body: (NetlinkHeader, RawSpan) -> Void) -> Bool {
  var offset = 0
  let end = datagram.byteCount
  while let length = datagram.load(offset, as: UInt32.self).flatMap({ Int(exactly: $0) }),
    let type = datagram.load(offset + 4, as: UInt16.self),
    let flags = datagram.load(offset + 6, as: UInt16.self),
    let sequence = datagram.load(offset + 8, as: UInt32.self)
  {
    guard length >= NetlinkHeader.byteCount, length <= end - offset else { return false }
    body(
      NetlinkHeader(type: type, flags: flags, sequence: sequence),
      datagram.extracting(offset + NetlinkHeader.byteCount..<offset + length))
    offset += (length + 3) & ~3
  }
  return offset >= end
}
