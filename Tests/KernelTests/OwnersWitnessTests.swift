import Glibc
import Model
import Testing

@testable import Kernel

/// The running kernel's sockets, looked at as if their flow had just been heard of; this process has both ends.
@Suite struct OwnersWitnessTests {
  private static let start = ContinuousClock.now

  /// A flow over loopback, and what is seen of its ends.
  private final class Watch {
    var witness: FlowWitness
    let flow: Flow
    var seen: [Bool: ProcessIdentity] = [:]

    init(_ transport: TransportProtocol, from client: UInt16, to server: UInt16) throws {
      witness = FlowWitness(
        try OwnerFinder(usesNews: false, at: OwnersWitnessTests.start), try SocketLookup(),
        at: OwnersWitnessTests.start)
      let ends = [client, server].map { Endpoint(address: IPAddress(v4: 0x7f00_0001), port: $0) }
      flow = Flow(
        id: 1, original: FlowTuple(source: ends[0], destination: ends[1], transport: transport),
        reply: FlowTuple(source: ends[1], destination: ends[0], transport: transport),
        counters: FlowCounters())
    }

    func see() { witness.see(flow, at: start) { sighting, _ in seen[sighting.isClient] = sighting.process } }

    /// Looks again when that is due; returns how often until nothing is.
    func settle() -> Int {
      for looks in 0... {
        guard let due = witness.due(at: start) else { return looks }
        witness.idle(at: due) { sighting, _ in
          seen[sighting.isClient] = sighting.process
        } isUrgent: {
          false
        }
      }
      return 0
    }

    var pids: [Bool: pid_t] { seen.mapValues(\.pid) }
  }

  @Test func `a server is named once it has accepted, not before`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    let watch = try Watch(.tcp, from: client.port, to: listener.port)
    watch.see()
    #expect(watch.pids == [true: getpid()])
    let server = try listener.accept()
    _ = watch.settle()
    #expect(watch.pids == [true: getpid(), false: getpid()])
    #expect(server.port == listener.port)
  }

  @Test func `one that is never accepted is given up, and one that is closed at once`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    var client: SocketsOpened? = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    let port = client?.port ?? 0
    try client?.connect(to: listener.port)
    let watch = try Watch(.tcp, from: port, to: listener.port)
    watch.see()
    #expect(watch.settle() == Revisits.delays.count)
    watch.see()
    client = nil
    do { _ = try listener.accept() }
    #expect(watch.settle() == 1)
    #expect(watch.pids == [true: getpid()])
  }

  @Test func `datagram sockets are named at once at both ends`() throws {
    let server = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let client = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    try client.connect(to: server.port)
    let watch = try Watch(.udp, from: client.port, to: server.port)
    watch.see()
    #expect(watch.pids == [true: getpid(), false: getpid()])
    #expect(watch.settle() == 0)
  }
}
