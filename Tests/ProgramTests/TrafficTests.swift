import Lab
import Testing

/// The laboratory itself; that the generator's count is the kernel's is said for each kind by MonitorMatrixTests.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct TrafficTests {
  @Test func `the peer's packet counters agree with the connection table`() async throws {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    try await lab.a.forgetConnections()
    let server = try Traffic("tcp-serve --send 3000000", in: lab.b)
    let port = try await server.ready()
    try await lab.b.countPackets()
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 5000000 --receive 3000000 --hold", in: lab.a)
    _ = try await client.counted()
    var (view, counted) = try await (lab.viewOfA(), lab.b.countedBytes())
    try await eventually("the table's bytes at the peer", state: { "\(counted) of \(view)" }) {
      (view, counted) = try await (lab.viewOfA(), lab.b.countedBytes())
      return counted.received == view.sent && counted.sent == view.received ? () : nil
    }
    try await client.finish()
    try await server.finish()
  }

  @Test(arguments: ["tcp-fork", "tcp-pass", "tcp-exec"])
  func `a connection changes hands`(command: String) async throws {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let client = try Traffic(
      "\(command) 10.77.1.2 \(port) --send 100000 --after 200000"
        + (command == "tcp-exec" ? " --exec \(Program.traffic)" : ""), in: lab.a)
    let heir = command == "tcp-exec" ? client.pid : try await client.child()
    let counts = try await client.counts(2)
    #expect(counts.map(\.pid) == [client.pid, heir])
    #expect(counts.map(\.sent) == [100_000, 200_000])
    try await client.finish()
    // The heir's last bytes are still on their way.
    _ = try await lab.a.closedConnections()
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
    for line in ["", "nonsense", "tcp 10.77.1.2 1 --unknown", "udp 10.77.1.2 9 --send 1"] {
      let client = try Traffic(line, in: lab.a)
      #expect(try await client.process.ended() == .exited(64))
    }
    let refused = try Traffic("tcp 10.77.1.2 1 --send 1", in: lab.a)
    #expect(try await refused.process.ended() == .exited(1))
    #expect(refused.process.errors.text.contains("Connection refused"))
  }
}
