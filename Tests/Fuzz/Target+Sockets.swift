import Model

@testable import Netfilter

extension Target {
  /// What one message of sock_diag tells, by all of its readers.
  private struct Report {
    var transport: TransportProtocol
    var entry: SocketEntry?
    var answer: SocketLookup.Answer?
    var end: SocketDestroyEvents.Event?
    var counts = SocketDiagnostics.Counts()
    var byteCount: Int

    init(_ payload: borrowing RawSpan, _ transport: TransportProtocol) {
      self.transport = transport
      byteCount = payload.byteCount
      entry = SocketDiagnostics.decode(payload, of: transport, counts: &counts)
      var others = SocketDiagnostics.Counts()
      answer = SocketDiagnostics.decodeAnswer(payload, of: transport, counts: &others)
      if transport == .tcp { end = SocketDiagnostics.decodeEnd(payload, counts: &others) }
    }
  }

  static func sockets(_ input: [UInt8]) throws(Violation) {
    var reported: [Report] = []
    _ = forEachMessage(in: unsafe input.span.bytes) { header, payload in
      reported.append(Report(payload, [.tcp, .udp, .raw, .udpLite][Int(header.sequence % 4)]))
    }
    for message in reported {
      try law(
        "attributes lie in the message",
        message.counts.malformed + message.counts.unknownAttributes <= 1 + message.byteCount / 4)
      try law("all readers see the same socket", message.answer?.socket == message.entry)
      if let end = message.end {
        try law("what ended had a peer", end.remote.port != 0)
        try law(
          "an end is that of the socket",
          end.local == message.entry?.local && end.remote == message.entry?.remote
            && end.cookie == message.answer?.cookie && end.payload == message.answer?.payload)
      }
      guard let entry = message.entry else { continue }
      try law("only TCP listens and closes", message.transport == .tcp || entry.state == .open)
      try law("nobody holds what closes", entry.state != .closing || entry.inode == 0)
      try law(
        "a raw socket has no port", message.transport != .raw || entry.local.port + entry.remote.port == 0)
      var counts = SocketDiagnostics.Counts()
      let written = encode(entry)
      let again = SocketDiagnostics.decode(
        unsafe written.span.bytes, of: message.transport, counts: &counts)
      try law(
        "written again it reads the same: \(entry)", again == entry && counts == SocketDiagnostics.Counts())
    }
  }

  /// The payload by which the kernel would tell `entry` (struct inet_diag_msg, two attributes).
  private static func encode(_ entry: SocketEntry) -> [UInt8] {
    let state: UInt8 =
      switch entry.state {
      case .open: 1
      case .listening: 10
      case .closing: 6
      }
    var bytes: [UInt8] = [entry.isV6 ? 10 : 2, state, 0, 0]
    bytes += NetlinkRequest.bytes(ofBigEndian: entry.local.port)
    bytes += NetlinkRequest.bytes(ofBigEndian: entry.remote.port)
    for address in [entry.local.address, entry.remote.address] {
      if entry.isV6 {
        bytes += NetlinkRequest.bytes(ofBigEndian: address.high)
        bytes += NetlinkRequest.bytes(ofBigEndian: address.low)
      } else {
        bytes += NetlinkRequest.bytes(ofBigEndian: UInt32(truncatingIfNeeded: address.low))
        bytes += [UInt8](repeating: 0, count: 12)
      }
    }
    // Interface, cookie, expiry, queues.
    bytes += [UInt8](repeating: 0, count: 24)
    bytes += NetlinkRequest.bytes(ofBigEndian: entry.uid.bigEndian)
    bytes += NetlinkRequest.bytes(ofBigEndian: UInt32(truncatingIfNeeded: entry.inode).bigEndian)
    bytes += [5, 0, 10, 0, entry.transport.rawValue, 0, 0, 0]
    return bytes + [5, 0, 11, 0, entry.isV6Only ? 1 : 0, 0, 0, 0]
  }
}
