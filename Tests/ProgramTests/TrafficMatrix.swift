import Lab
import Testing

/// A kind of traffic with what the connection table makes of it and whose it is.
struct MatrixRow: Sendable, CustomTestStringConvertible {
  /// Bytes of headers, from layer 3 on, that are counted with each packet. TCP has time stamps.
  enum Header {
    static let ipv4: UInt64 = 20
    static let ipv6: UInt64 = 40
    static let udpV4 = ipv4 + 8
    static let udpV6 = ipv6 + 8
    static let tcpV4 = ipv4 + 32
    static let tcpV6 = ipv6 + 32
    /// With one chunk of data.
    static let sctp = ipv4 + 28
  }

  /// Whose it must be.
  enum Owner: Sendable {
    case client, server, both
    /// Counted, but whose cannot be said.
    case nobody
    /// Netfilter does not see it.
    case untracked
  }

  let testDescription: String
  let header: UInt64
  let owner: Owner
  let kind: TrafficKind

  init(_ name: String, _ header: UInt64, _ owner: Owner, _ kind: TrafficKind) {
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
      "bulk up", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 16000000")),
    MatrixRow(
      "bulk down", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve --send 16000000", "tcp HOST PORT --receive 16000000")),
    MatrixRow(
      "duplex", Header.tcpV4, .client,
      TrafficKind(
        .client, "tcp-serve --send 16000000", "tcp HOST PORT --receive 16000000 --send 16000000")),
    MatrixRow(
      "UDP both ways, from its client", Header.udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 8000 --echo")),
    MatrixRow(
      "UDP both ways, from its server", Header.udpV4, .server,
      TrafficKind(.server, "udp-serve", "udp HOST PORT --size 1200 --count 8000 --echo")),
    MatrixRow(
      "small datagrams", Header.udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 64 --count 65536")),
    MatrixRow(
      "ICMP flood", Header.ipv4, .client,
      TrafficKind(.client, "tcp-serve", "ping HOST --count 3000 --size 64")),
    MatrixRow(
      "TCP over IPv6", Header.tcpV6, .client,
      TrafficKind(.client, "tcp-serve --bind ::", "tcp HOST PORT --send 8000000")),
    MatrixRow(
      "UDP over IPv6", Header.udpV6, .client,
      TrafficKind(.client, "udp-serve --bind ::", "udp HOST PORT --size 1200 --count 4000 --echo")),
    MatrixRow(
      "SCTP", Header.sctp, .nobody,
      TrafficKind(.client, "tcp-serve --sctp", "tcp HOST PORT --send 1000000 --sctp", needs: .sctp)),
    MatrixRow(
      "protocol 253", Header.ipv4, .client,
      TrafficKind(
        .client, "raw-serve --protocol 253", "raw HOST --protocol 253 --count 1000 --size 1000")),
    MatrixRow(
      "20 processes one after the other", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 512000", times: 20)),
    MatrixRow(
      "frames of a packet socket", 0, .untracked,
      TrafficKind(.client, "tcp-serve", "packet --interface eth0 --count 500 --size 1014")),
    MatrixRow(
      "io_uring up", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 8000000 --method uring", needs: .uring)),
    MatrixRow(
      "io_uring down", Header.tcpV4, .client,
      TrafficKind(
        .client, "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000 --method uring", needs: .uring)),
    MatrixRow(
      "sendfile", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 8000000 --method sendfile")),
    MatrixRow(
      "splice", Header.tcpV4, .client,
      TrafficKind(
        .client, "tcp-serve --send 8000000",
        "tcp HOST PORT --receive 8000000 --send 8000000 --method splice")),
    MatrixRow(
      "sendmmsg", Header.udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 4000 --method mmsg")),
    MatrixRow(
      "recvmmsg", Header.udpV4, .server,
      TrafficKind(.server, "udp-serve --method mmsg", "udp HOST PORT --size 1200 --count 4000")),
    MatrixRow(
      "loopback", Header.tcpV4, .both,
      TrafficKind(.both, "tcp-serve --send 8000000", "tcp HOST PORT --send 8000000 --receive 8000000")),
    MatrixRow(
      "a container behind masquerade", Header.tcpV4, .both,
      TrafficKind(.container, "tcp-serve --send 4000000", "tcp HOST PORT --send 4000000 --receive 4000000")),
    MatrixRow(
      "128 KiB/s drip", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 262144 --rate 131072")),
    MatrixRow(
      "60 small connections", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 20000 --connections 60 --parallel")),
    MatrixRow(
      "30 parallel bursts", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 100000 --connections 30 --parallel")),
  ]

  /// The same from the other side, and by other ways through the kernel.
  static let variants = [
    MatrixRow(
      "a server's bulk", Header.tcpV4, .server,
      TrafficKind(.server, "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000 --send 8000000")),
    MatrixRow(
      "a server's bulk over IPv6", Header.tcpV6, .server,
      TrafficKind(.server, "tcp-serve --bind ::", "tcp HOST PORT --send 8000000")),
    MatrixRow(
      "a connected UDP socket", Header.udpV4, .client,
      TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 2000 --echo --connected")),
    MatrixRow(
      "a v4-mapped client", Header.tcpV4, .client,
      TrafficKind(.client, "tcp-serve", "tcp ::ffff:HOST PORT --send 8000000")),
    MatrixRow(
      "a v6 socket's IPv4 clients", Header.tcpV4, .server,
      TrafficKind(.server, "tcp-serve --bind ::", "tcp 10.77.1.1 PORT --send 8000000")),
    MatrixRow(
      "a v6 socket's IPv4 datagrams", Header.udpV4, .server,
      TrafficKind(.server, "udp-serve --bind ::", "udp 10.77.1.1 PORT --size 1200 --count 2000 --echo")),
    MatrixRow(
      "io_uring datagrams", Header.udpV4, .client,
      TrafficKind(
        .client, "udp-serve", "udp HOST PORT --size 1200 --count 500 --echo --connected --method uring",
        needs: .uring)),
    MatrixRow(
      "a raw socket's pings", Header.ipv4, .client,
      TrafficKind(.client, "tcp-serve", "ping HOST --count 100 --size 1008 --raw")),
    MatrixRow(
      "pings over IPv6", Header.ipv6, .client,
      TrafficKind(.client, "tcp-serve --bind ::", "ping HOST --count 100 --size 1008")),
    MatrixRow(
      "a raw socket's pings over IPv6", Header.ipv6, .client,
      TrafficKind(.client, "tcp-serve --bind ::", "ping HOST --count 100 --size 1008 --raw")),
  ]
}
