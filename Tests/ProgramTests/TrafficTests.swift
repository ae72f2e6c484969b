import Lab
import Testing

/// The laboratory itself: what the generator says it moved is what the kernel counted.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(2)))
struct TrafficTests {
  /// A kind of traffic from A to B.
  struct Kind: Sendable, CustomTestStringConvertible {
    let server: String
    let client: String
    /// Bytes of headers that the kernel counts for each packet: exact for datagrams, nil for a stream.
    var header: UInt64?
    var needs: Requirement?

    var testDescription: String { client }
  }

  static let kinds = [
    Kind(server: "tcp-serve", client: "tcp 10.77.1.2 PORT --send 8000000"),
    Kind(server: "tcp-serve --send 8000000", client: "tcp 10.77.1.2 PORT --receive 8000000"),
    Kind(server: "tcp-serve --send 8000000", client: "tcp 10.77.1.2 PORT --receive 8000000 --send 4000000"),
    Kind(server: "tcp-serve --bind ::", client: "tcp fd77::2 PORT --send 8000000"),
    Kind(server: "tcp-serve --bind ::", client: "tcp ::ffff:10.77.1.2 PORT --send 8000000"),
    Kind(server: "tcp-serve", client: "tcp 10.77.1.2 PORT --send 8000000 --method sendfile"),
    Kind(server: "tcp-serve --method splice", client: "tcp 10.77.1.2 PORT --send 8000000 --method splice"),
    Kind(server: "tcp-serve --method mmsg", client: "tcp 10.77.1.2 PORT --send 8000000 --method mmsg"),
    Kind(
      server: "tcp-serve --method uring --send 8000000",
      client: "tcp 10.77.1.2 PORT --send 8000000 --receive 8000000 --method uring", needs: .uring),
    Kind(server: "tcp-serve", client: "tcp 10.77.1.2 PORT --send 100000 --connections 30 --parallel"),
    Kind(server: "tcp-serve --workers 3", client: "tcp 10.77.1.2 PORT --send 100000 --connections 20"),
    Kind(server: "udp-serve", client: "udp 10.77.1.2 PORT --size 64 --count 65536", header: 28),
    Kind(server: "udp-serve", client: "udp 10.77.1.2 PORT --size 1200 --count 4000 --echo", header: 28),
    Kind(
      server: "udp-serve --method mmsg",
      client: "udp 10.77.1.2 PORT --size 1200 --count 4000 --echo --connected --method mmsg", header: 28),
    Kind(
      server: "udp-serve --bind ::",
      client: "udp fd77::2 PORT --size 1200 --count 1000 --echo --connected --method uring", header: 48,
      needs: .uring),
    Kind(
      server: "raw-serve --protocol 253", client: "raw 10.77.1.2 --protocol 253 --count 200 --size 1000",
      header: 20),
    Kind(server: "tcp-serve", client: "ping 10.77.1.2 --count 200 --size 1008", header: 20),
    Kind(server: "tcp-serve", client: "ping 10.77.1.2 --count 200 --size 1008 --raw", header: 20),
    Kind(server: "tcp-serve", client: "ping fd77::2 --count 200 --size 1008", header: 40),
    Kind(server: "tcp-serve", client: "ping fd77::2 --count 200 --size 1008 --raw", header: 40),
  ]

  @Test(arguments: kinds)
  func `the generator's count is the kernel's`(kind: Kind) async throws {
    try await kind.needs?.orSkip()
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    try await lab.a.forgetConnections()
    let server = try Traffic(kind.server, in: lab.b)
    let port = try await server.ready()
    let client = try Traffic(
      kind.client.replacing("PORT", with: "\(port)") + " --hold", in: lab.a)
    let count = try await client.counted()
    let entries = try await lab.a.quietConnections()
    try await client.finish()
    try await server.finish()
    let original = entries.reduce(0) { $0 + ($1.original.bytes ?? 0) }
    let reply = entries.reduce(0) { $0 + ($1.reply.bytes ?? 0) }
    if let header = kind.header {
      #expect(original == count.sent + header * count.datagrams)
    } else {
      let resent = try await server.counted().retransmitted
      let headers = (count.sent + count.received) / 100 + 400 * count.connections
      #expect((count.sent...count.sent + headers).contains(original - count.retransmitted))
      #expect((count.received...count.received + headers).contains(reply - resent))
    }
    #expect(count.sent + count.received > 0)
  }

  @Test func `the peer's packet counters agree with the connection table`() async throws {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    try await lab.a.forgetConnections()
    let server = try Traffic("tcp-serve --send 3000000", in: lab.b)
    let port = try await server.ready()
    try await lab.b.countPackets()
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 5000000 --receive 3000000 --hold", in: lab.a)
    _ = try await client.counted()
    let view = try await lab.viewOfA()
    let counted = try await lab.b.countedBytes()
    #expect(counted.received == view.sent)
    #expect(counted.sent == view.received)
    try await client.finish()
    try await server.finish()
  }

  @Test func `packet-socket frames pass conntrack by`() async throws {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    try await lab.a.forgetConnections()
    let before = try await lab.a.interfaceBytes("eth0")
    let sender = try Traffic("packet --interface eth0 --count 100 --size 1014", in: lab.a)
    let count = try await sender.counted()
    try await sender.finish()
    let after = try await lab.a.interfaceBytes("eth0")
    #expect(count.sent == 101_400)
    #expect(after.sent - before.sent >= count.sent)
    #expect(try await lab.a.connections().isEmpty)
  }

  @Test(arguments: ["tcp-fork", "tcp-pass", "tcp-exec"])
  func `a connection changes hands`(command: String) async throws {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let client = try Traffic(
      "\(command) 10.77.1.2 \(port) --send 100000 --after 200000 --exec \(Program.traffic)", in: lab.a)
    let heir = command == "tcp-exec" ? client.pid : try await client.child()
    let counts = try await client.counts(2)
    #expect(counts.map(\.pid) == [client.pid, heir])
    #expect(counts.map(\.sent) == [100_000, 200_000])
    try await client.finish()
    // The heir's last bytes are still on their way.
    _ = try await lab.a.quietConnections()
    try await server.finish()
    #expect(try await server.counted().received == 300_000)
  }

  @Test func `a drip keeps its rate`() async throws {
    let lab = try Laboratory.topology
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let start = ContinuousClock.now
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 262144 --rate 131072", in: lab.a)
    try await client.finish()
    #expect(ContinuousClock.now - start > .seconds(1.8))
    #expect(try await client.counted().sent == 262_144)
    try await server.finish()
  }

  @Test func `a wrong command line is refused`() async throws {
    let lab = try Laboratory.topology
    for line in ["", "nonsense", "tcp 10.77.1.2 1 --unknown"] {
      let client = try Traffic(line, in: lab.a)
      #expect(try await client.process.ended() == .exited(64))
    }
    let refused = try Traffic("tcp 10.77.1.2 1 --send 1", in: lab.a)
    #expect(try await refused.process.ended() == .exited(1))
    #expect(refused.process.errors.text.contains("Connection refused"))
  }
}
