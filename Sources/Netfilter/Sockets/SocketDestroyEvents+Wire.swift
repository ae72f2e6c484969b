import CLinux
import Model
import SystemRuntime

extension SocketDiagnostics {
  private static let layout = clinux_tcp_info_layout()

  /// Decodes the payload of a message about a TCP socket that ended; nil, when it makes no sense or is about one
  /// that never had a peer: a listener.
  static func decodeEnd(
    _ payload: borrowing RawSpan, counts: inout Counts
  ) -> SocketDestroyEvents.Event? {
    guard let entry = decode(payload, of: .tcp, counts: &counts), let cookie = cookie(payload) else {
      return nil
    }
    guard entry.transport == .tcp, entry.remote.port != 0 else { return nil }
    var usage: Usage?
    _ = forEachAttribute(in: payload.extracting(72..<payload.byteCount)) { type, value in
      if type == informationAttribute { usage = Self.payload(value) }
    }
    guard let usage else {
      counts.malformed += 1
      return nil
    }
    return SocketDestroyEvents.Event(
      local: entry.local, remote: entry.remote, uid: entry.uid, cookie: cookie, payload: usage)
  }

  /// The bytes of payload that a tcp_info (linux/tcp.h) reports, after the peer's end of the stream or before; nil where
  /// it ends before they come. A newer kernel's is longer, an older one's shorter.
  package static func payload(_ info: borrowing RawSpan, hasEnded: Bool = true) -> Usage? {
    guard let received = info.load(Int(layout.bytes_received), as: UInt64.self),
      let acknowledged = info.load(Int(layout.bytes_acked), as: UInt64.self)
    else { return nil }
    var usage = Usage(received: hasEnded ? received - min(received, 1) : received, sent: acknowledged)
    // Without a segment that had data, whatever was received was the mark of the end.
    if let segments = info.load(Int(layout.data_segs_in), as: UInt32.self), segments == 0 {
      usage.received = 0
    }
    // Neither counts the marks of beginning and end.
    if let sent = info.load(Int(layout.bytes_sent), as: UInt64.self),
      let repeated = info.load(Int(layout.bytes_retrans), as: UInt64.self)
    {
      usage.sent = sent - min(sent, repeated)
    }
    return usage
  }
}
