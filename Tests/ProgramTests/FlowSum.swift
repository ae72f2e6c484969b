import Lab
import Testing

/// The headers of a packet from layer 3 on, which are counted with its payload.
struct PacketHeader: Sendable {
  /// Of each packet.
  var bytes: UInt64
  /// What the first packet of a connection has more, in each direction.
  var opening: UInt64 = 0
  /// What else a connection may have more, in each direction.
  var slack: UInt64 = 0

  /// What an interface counts and layer 3 does not.
  static let ethernet = PacketHeader(bytes: 14)
  static let ipv4 = PacketHeader(bytes: 20)
  static let ipv6 = PacketHeader(bytes: 40)
  static let udpV4 = PacketHeader(bytes: 20 + 8)
  static let udpV6 = PacketHeader(bytes: 40 + 8)
  /// With time stamps; at first also with segment size, window scale and that acknowledgements may be selective. One
  /// that is names up to three parts of the stream.
  static let tcpV4 = PacketHeader(bytes: 20 + 32, opening: 8, slack: 28)
  static let tcpV6 = PacketHeader(bytes: 40 + 32, opening: 8, slack: 28)
  /// With one chunk of data; a cookie of some hundred bytes comes and goes back.
  static let sctp = PacketHeader(bytes: 20 + 28, slack: 1000)
}

/// A connection table with all its flows added up, in the view of those who opened them.
struct FlowSum: Sendable {
  var moved = HostView()
  var packets = HostView()

  init(_ entries: [ConntrackEntry]) {
    for entry in entries {
      moved.sent += entry.original.bytes ?? 0
      moved.received += entry.reply.bytes ?? 0
      packets.sent += entry.original.packets ?? 0
      packets.received += entry.reply.packets ?? 0
    }
  }

  /// Expects that the payload which clients say they have moved, and the headers of its packets, are the table's bytes:
  /// exactly for datagrams, within 1 % for a stream.
  ///
  /// - Parameter server: What the server says: what its TCP sent again is in the table as well.
  func expect(
    _ counts: [Traffic.Count], _ header: PacketHeader = .tcpV4, server: Traffic.Count? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let connections = counts.reduce(0) { $0 + $1.connections }
    let datagrams = counts.reduce(0) { $0 + $1.datagrams }
    let opening = datagrams > 0 ? 0 : header.opening * connections
    let sent = counts.reduce(opening) { $0 + $1.sent + $1.retransmitted }
    let received = counts.reduce(opening + (server?.retransmitted ?? 0)) { $0 + $1.received }
    let expected = HostView(
      received: received + header.bytes * packets.received,
      sent: sent + header.bytes * (datagrams > 0 ? datagrams : packets.sent))
    func isClose(
      _ bytes: UInt64, _ expected: UInt64, acknowledging senders: [Traffic.Count], in packets: UInt64
    )
      -> Bool
    {
      var slack = datagrams > 0 ? 0 : expected / 100 + header.slack * connections
      // Where something was lost or overtaken, each acknowledgement may name what came after the gap (RFC 2018). A sender
      // that the scheduler moves to another processor overtakes itself.
      if senders.contains(where: { $0.retransmitted + $0.reordered > 0 }) { slack += header.slack * packets }
      return abs(Int(bytes) - Int(expected)) <= Int(slack)
    }
    let servers = server.map { [$0] } ?? []
    #expect(
      isClose(moved.sent, expected.sent, acknowledging: servers, in: packets.sent)
        && isClose(moved.received, expected.received, acknowledging: counts, in: packets.received),
      "\(self) instead of \(expected): \(counts), server \(servers)",
      sourceLocation: sourceLocation)
  }
}

extension Topology {
  /// What A's flows have moved, once nothing moves any more, in A's view and in that of those who opened them.
  func flowsOfA() async throws -> (view: HostView, sum: FlowSum) {
    let entries = try await quietConnections()
    return (HostView(entries, addresses: Self.addressesOfA), FlowSum(entries))
  }
}
