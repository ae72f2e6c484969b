import Lab
import Testing

/// A kind of traffic with what the connection table makes of it and whose it is.
struct MatrixRow: Sendable, CustomTestStringConvertible {
  /// Whose it must be.
  enum Owner: Sendable {
    case client, server, both
    /// Counted, but whose cannot be said.
    case nobody
    /// The client's where the kernel tells of such sockets (ss(8) asks too), else counted and nobody's.
    case clientIfTold
    /// Netfilter does not see it; the client's as the only sender of frames.
    case untracked
  }

  let testDescription: String
  let header: PacketHeader
  let owner: Owner
  let kind: TrafficKind

  init(_ name: String, _ header: PacketHeader, _ owner: Owner, _ kind: TrafficKind) {
    testDescription = name
    self.header = header
    self.owner = owner
    self.kind = kind
  }
}

extension MatrixRow {
  /// The kinds that every monitor of a host must name.
  static let matrix = [
    MatrixRow(
      "bulk up", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 16000000")),
    MatrixRow(
      "bulk down", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve --send 16000000", "tcp HOST PORT --receive 16000000")),
    MatrixRow(
      "duplex", .tcpV4, .client,
      TrafficKind(
        .client, "tcp-serve --send 16000000", "tcp HOST PORT --receive 16000000 --send 16000000")),
    MatrixRow(
      "UDP both ways, from its client", .udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 8000 --echo")),
    MatrixRow(
      "UDP both ways, from its server", .udpV4, .server,
      TrafficKind(.server, "udp-serve", "udp HOST PORT --size 1200 --count 8000 --echo")),
    MatrixRow(
      "small datagrams", .udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 64 --count 65536")),
    MatrixRow(
      "ICMP flood", .ipv4, .client,
      TrafficKind(.client, "tcp-serve", "ping HOST --count 3000 --size 64")),
    MatrixRow(
      "TCP over IPv6", .tcpV6, .client,
      TrafficKind(.client, "tcp-serve --bind ::", "tcp HOST PORT --send 8000000")),
    MatrixRow(
      "UDP over IPv6", .udpV6, .client,
      TrafficKind(.client, "udp-serve --bind ::", "udp HOST PORT --size 1200 --count 4000 --echo")),
    MatrixRow(
      "SCTP", .sctp, .clientIfTold,
      TrafficKind(.client, "tcp-serve --sctp", "tcp HOST PORT --send 1000000 --sctp", needs: .sctp)),
    MatrixRow(
      "protocol 253", .ipv4, .client,
      TrafficKind(
        .client, "raw-serve --protocol 253", "raw HOST --protocol 253 --count 1000 --size 1000")),
    MatrixRow(
      "20 processes one after the other", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 512000", times: 20)),
    MatrixRow(
      "frames of a packet socket", .ethernet, .untracked,
      TrafficKind(.client, "tcp-serve", "packet --interface eth0 --count 500 --size 1014 --gate")),
    MatrixRow(
      "io_uring up", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 8000000 --method uring", needs: .uring)),
    MatrixRow(
      "io_uring down", .tcpV4, .client,
      TrafficKind(
        .client, "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000 --method uring", needs: .uring)),
    MatrixRow(
      "sendfile", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 8000000 --method sendfile")),
    MatrixRow(
      "splice", .tcpV4, .client,
      TrafficKind(
        .client, "tcp-serve --send 8000000",
        "tcp HOST PORT --receive 8000000 --send 8000000 --method splice")),
    MatrixRow(
      "sendmmsg", .udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 4000 --method mmsg")),
    MatrixRow(
      "recvmmsg", .udpV4, .server,
      TrafficKind(.server, "udp-serve --method mmsg", "udp HOST PORT --size 1200 --count 4000")),
    MatrixRow(
      "loopback", .tcpV4, .both,
      TrafficKind(.both, "tcp-serve --send 8000000", "tcp HOST PORT --send 8000000 --receive 8000000")),
    MatrixRow(
      "a container behind masquerade", .tcpV4, .both,
      TrafficKind(.container, "tcp-serve --send 4000000", "tcp HOST PORT --send 4000000 --receive 4000000")),
    MatrixRow(
      "128 KiB/s drip", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 262144 --rate 131072")),
    MatrixRow(
      "60 small connections", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 20000 --connections 60 --parallel")),
    MatrixRow(
      "30 parallel bursts", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 100000 --connections 30 --parallel")),
  ]

  /// The same from the other side, and by other ways through the kernel.
  static let variants = [
    MatrixRow(
      "a server's bulk", .tcpV4, .server,
      TrafficKind(.server, "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000 --send 8000000")),
    MatrixRow(
      "a server's bulk over IPv6", .tcpV6, .server,
      TrafficKind(.server, "tcp-serve --bind ::", "tcp HOST PORT --send 8000000")),
    MatrixRow(
      "a connected UDP socket", .udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 2000 --echo --connected")),
    MatrixRow(
      "a v4-mapped client", .tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp ::ffff:HOST PORT --send 8000000")),
    MatrixRow(
      "a v6 socket's IPv4 clients", .tcpV4, .server,
      TrafficKind(.server, "tcp-serve --bind ::", "tcp 10.77.1.1 PORT --send 8000000")),
    MatrixRow(
      "a v6 socket's IPv4 datagrams", .udpV4, .server,
      TrafficKind(.server, "udp-serve --bind ::", "udp 10.77.1.1 PORT --size 1200 --count 2000 --echo")),
    MatrixRow(
      "io_uring datagrams", .udpV4, .client,
      TrafficKind(
        .client, "udp-serve", "udp HOST PORT --size 1200 --count 500 --echo --connected --method uring",
        needs: .uring)),
    MatrixRow(
      "a raw socket's pings", .ipv4, .client,
      TrafficKind(.client, "tcp-serve", "ping HOST --count 100 --size 1008 --raw")),
    MatrixRow(
      "pings over IPv6", .ipv6, .client,
      TrafficKind(.client, "tcp-serve --bind ::", "ping HOST --count 100 --size 1008")),
    MatrixRow(
      "a raw socket's pings over IPv6", .ipv6, .client,
      TrafficKind(.client, "tcp-serve --bind ::", "ping HOST --count 100 --size 1008 --raw")),
  ]
}
