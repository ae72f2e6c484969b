import Model

/// A table of sockets under /proc/net (proc(5)): one line of text a socket.
struct SocketFile: Hashable {
  /// The name under `net`.
  var name: String
  /// What its sockets carry; `.raw` where each line names its own protocol.
  var transport: TransportProtocol
  var isV6: Bool

  /// True for protocols that many kernels are without, though they pass their packets on.
  var isOptional: Bool { transport == .udpLite || isDiagnosticsOnly }

  /// True for protocols whose sockets only sock_diag reports.
  var isDiagnosticsOnly: Bool { transport == .sctp || transport == .dccp }

  /// Both tables of a transport protocol, IPv4's first; nil when there are none.
  static func both(of transport: TransportProtocol) -> [SocketFile]? {
    switch transport {
    case .tcp: files("tcp", "tcp6", transport)
    case .udp: files("udp", "udp6", transport)
    case .udpLite: files("udplite", "udplite6", transport)
    case .sctp: files("sctp", "sctp6", transport)
    case .dccp: files("dccp", "dccp6", transport)
    case .raw: files("raw", "raw6", transport)
    case .icmp: [SocketFile(name: "icmp", transport: transport, isV6: false)]
    case .icmpv6: [SocketFile(name: "icmp6", transport: transport, isV6: true)]
    default: nil
    }
  }

  /// Decodes a line; nil when it is not one of this table.
  ///
  /// The fields: number, local and remote address:port in hexadecimal, state, queues, timer, retransmissions,
  /// uid, timeout, inode, then others. An address is written as 32-bit words in this host's order, so each
  /// word is swapped back to network order. Whether an IPv6 socket takes IPv4 is not shown.
  func decode(_ line: Span<UInt8>) -> SocketEntry? {
    var position = 0
    guard line.skipWord(&position), var local = endpoint(line, &position),
      var remote = endpoint(line, &position), let state = state(line, &position),
      line.skipWord(&position), line.skipWord(&position), line.skipWord(&position),
      let uid = line.decimal(&position).flatMap(UInt32.init(exactly:)),
      line.skipWord(&position), let inode = line.decimal(&position)
    else { return nil }
    var carried = transport
    if transport == .raw {
      guard let number = UInt8(exactly: local.port) else { return nil }
      carried = TransportProtocol(rawValue: number)
      local.port = 0
      remote.port = 0
    }
    return SocketEntry(
      transport: carried, isV6: isV6,
      state: SocketEntry.State(number: state, transport: transport, inode: inode),
      local: local, remote: remote, inode: inode, uid: uid)
  }

  private func endpoint(_ line: Span<UInt8>, _ position: inout Int) -> Endpoint? {
    line.skipSpaces(&position)
    guard let address = isV6 ? v6(line, &position) : v4(line, &position), line.skip(0x3a, &position),
      let port = line.hexadecimal(&position, digits: 4)
    else { return nil }
    return Endpoint(address: address, port: UInt16(port))
  }

  private func v4(_ line: Span<UInt8>, _ position: inout Int) -> IPAddress? {
    word(line, &position).map { IPAddress(v4: UInt32($0)) }
  }

  private func v6(_ line: Span<UInt8>, _ position: inout Int) -> IPAddress? {
    guard let first = word(line, &position), let second = word(line, &position),
      let third = word(line, &position), let fourth = word(line, &position)
    else { return nil }
    return IPAddress(high: first << 32 | second, low: third << 32 | fourth)
  }

  private func word(_ line: Span<UInt8>, _ position: inout Int) -> UInt64? {
    line.hexadecimal(&position, digits: 8).map { UInt64($0.bigEndian) }
  }

  private func state(_ line: Span<UInt8>, _ position: inout Int) -> UInt8? {
    line.skipSpaces(&position)
    return line.hexadecimal(&position, digits: 2).map { UInt8($0) }
  }

  private static func files(_ v4: String, _ v6: String, _ transport: TransportProtocol) -> [SocketFile] {
    [
      SocketFile(name: v4, transport: transport, isV6: false),
      SocketFile(name: v6, transport: transport, isV6: true),
    ]
  }
}
