import SystemRuntime

/// The header of a netlink message (netlink(7), struct nlmsghdr).
package struct NetlinkHeader {
  package static let byteCount = 16

  package var type: UInt16
  package var flags: UInt16
  var sequence: UInt32

  /// What ends or replaces an answer (linux/netlink.h).
  enum Control {
    static let noop: UInt16 = 1
    static let error: UInt16 = 2
    static let done: UInt16 = 3
    static let overrun: UInt16 = 4
  }
  package enum Flag {
    package static let request: UInt16 = 0x001
    package static let acknowledge: UInt16 = 0x004
    package static let interrupted: UInt16 = 0x010
    package static let dump: UInt16 = 0x300
    package static let create: UInt16 = 0x400
    package static let exclusive: UInt16 = 0x200
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

/// Calls `body` with the type and payload of each attribute in `payload` (netlink(7), struct nlattr).
///
/// Returns false when the bytes end inside an attribute or one claims an impossible length; what came before
/// has been handed over. A length below the header's ends the walk, so it never loops. The flags for nesting
/// and byte order are removed from the type.
@inline(__always)
package func forEachAttribute(in payload: borrowing RawSpan, _ body: (UInt16, RawSpan) -> Void) -> Bool {
  var offset = 0
  let end = payload.byteCount
  while let length = payload.load(offset, as: UInt16.self).map(Int.init),
    let type = payload.load(offset + 2, as: UInt16.self)
  {
    guard length >= 4, length <= end - offset else { return false }
    body(type & 0x3fff, payload.extracting(offset + 4..<offset + length))
    offset += (length + 3) & ~3
  }
  return offset >= end
}
