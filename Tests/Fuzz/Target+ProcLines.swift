import Model

@testable import Netfilter

extension Target {
  static func flowLine(_ text: ArraySlice<UInt8>) throws(Violation) {
    guard let flow = FlowLine.parse(text) else { return }
    try law("the table in /proc has no identifiers", flow.id == 0)
    try law("both directions carry the same", flow.original.transport == flow.reply.transport)
    let counters = flow.counters
    let original =
      "\(line(flow.original))"
      + (flow.isCounted ? " packets=\(counters.originalPackets) bytes=\(counters.originalBytes)" : "")
    let reply = "\(line(flow.reply)) packets=\(counters.replyPackets) bytes=\(counters.replyBytes)"
    let tail = (flow.isOffloaded ? " [OFFLOAD]" : "") + " zone=\(flow.zone) use=1"
    var expected = flow
    // Packets are written beside bytes or not at all.
    if !flow.isCounted { expected.counters.originalPackets = 0 }
    let number = flow.original.transport.rawValue
    // As nf_conntrack writes it, and as ip_conntrack does.
    for start in ["ipv6 10 any \(number) 9", "any \(number) 9"] {
      let written = "\(start) \(original) \(reply)\(tail)"
      try law(
        "written again it reads the same: \(written)", FlowLine.parse(Array(written.utf8)[...]) == expected)
    }
  }

  private static func line(_ tuple: FlowTuple) -> String {
    "src=\(tuple.source.address) dst=\(tuple.destination.address) sport=\(tuple.source.port) "
      + "dport=\(tuple.destination.port)"
  }

  static func socketLine(_ text: ArraySlice<UInt8>, _ file: SocketFile) throws(Violation) {
    guard let entry = file.decode(text.span) else { return }
    try law("only TCP listens and closes", file.transport == .tcp || entry.state == .open)
    try law("nobody holds what closes", entry.state != .closing || entry.inode == 0)
    try law("a raw socket has no port", file.transport != .raw || entry.local.port + entry.remote.port == 0)
    let state =
      switch entry.state {
      case .open: "01"
      case .listening: "0A"
      case .closing: "06"
      }
    let port = file.transport == .raw ? UInt16(entry.transport.rawValue) : entry.local.port
    let local = "\(words(entry.local.address, entry.isV6)):\(hexadecimal(port))"
    let remote = "\(words(entry.remote.address, entry.isV6)):\(hexadecimal(entry.remote.port))"
    let written = Array("0: \(local) \(remote) \(state) 0:0 0:0 0 \(entry.uid) 0 \(entry.inode)".utf8)
    try law("written again it reads the same: \(entry)", file.decode(written.span) == entry)
  }

  /// An address as words of this host's order.
  private static func words(_ address: IPAddress, _ isV6: Bool) -> String {
    let words = [address.high >> 32, address.high, address.low >> 32, address.low].map {
      hexadecimal(UInt32(truncatingIfNeeded: $0).bigEndian)
    }
    return isV6 ? words.joined() : words[3]
  }

  private static func hexadecimal(_ number: some FixedWidthInteger & UnsignedInteger) -> String {
    let digits = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: number.bitWidth / 4 - digits.utf8.count) + digits
  }
}
