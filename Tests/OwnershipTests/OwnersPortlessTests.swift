import KernelLab
import SystemRuntime
import Lab
import Glibc
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// The running kernel's ping and raw sockets, looked at as if their flow had just been reported.
@Suite struct OwnersPortlessTests {
  private static let start = Instant.now
  /// For experiments (RFC 3692): nobody else here has a socket of it.
  private static let experiment = TransportProtocol(rawValue: 253)

  private final class OwnerRecorder {
    var witness: EarlyAttribution
    var seen: [EarlyOwner] = []

    init() throws {
      witness = EarlyAttribution(
        try OwnerFinder(usesEvents: false, at: OwnersPortlessTests.start), try SocketLookup(),
        at: OwnersPortlessTests.start)
    }

    func see(_ transport: TransportProtocol, id: UInt16) {
      let ends = [id, 0x800].map { Endpoint(address: IPAddress(v4: 0x7f00_0001), port: $0) }
      let tuple = FlowTuple(source: ends[0], destination: ends[1], transport: transport)
      witness.see(
        Flow(id: 1, original: tuple, reply: tuple, counters: FlowCounters()), at: OwnersPortlessTests.start
      ) { owner, _ in seen.append(owner) }
    }
  }

  /// Skips where such sockets are not allowed to this user (net.ipv4.ping_group_range, CAP_NET_RAW).
  private static func socket(
    _ word: String, _ open: () throws -> SocketsOpened
  ) throws -> SocketsOpened {
    do { return try open() } catch {
      try Requirement.skip(for: word)
      throw error
    }
  }

  @Test func `a ping socket is named by its identifier, which is sure`() throws {
    let socket = try Self.socket("ping_sockets") { try SocketsOpened(AF_INET, SOCK_DGRAM, .icmp) }
    let recorder = try OwnerRecorder()
    recorder.see(.icmp, id: socket.port)
    let owner = try #require(recorder.seen.first)
    #expect(recorder.seen.count == 1 && owner.isClient && owner.process.pid == getpid())
    #expect(owner.certainty.match == .exact)
    #expect(owner.hasAddress)
  }

  @Test func `the holder of the only raw socket is named, which is less sure`() throws {
    let socket = try Self.socket("raw_sockets") {
      try SocketsOpened(AF_INET, SOCK_RAW, Self.experiment, bindTo: nil)
    }
    let recorder = try OwnerRecorder()
    recorder.see(Self.experiment, id: 0)
    #expect(recorder.seen.map(\.process.pid) == [getpid()])
    #expect(recorder.seen.map(\.certainty.match) == [.relaxed])
    // Others' packets fit a socket without an address as well.
    #expect(recorder.seen.map(\.hasAddress) == [false])
    #expect(socket.inode != 0)
  }

  @Test func `of too many, what is not looked at is counted`() throws {
    let recorder = try OwnerRecorder()
    for _ in 0..<PortlessSockets.perSecond + 30 { recorder.see(TransportProtocol(rawValue: 254), id: 0) }
    #expect(recorder.seen.isEmpty)
    #expect(recorder.witness.condition.unseen == 30)
    // A second later there is room again.
    let later = Self.start + .seconds(1)
    let tuple = FlowTuple(
      source: Endpoint(address: IPAddress(v4: 0x7f00_0001), port: 1),
      destination: Endpoint(address: IPAddress(v4: 0x7f00_0001), port: 0x800), transport: .icmp)
    recorder.witness.see(
      Flow(id: 2, original: tuple, reply: tuple, counters: FlowCounters()), at: later
    ) { owner, _ in recorder.seen.append(owner) }
    #expect(recorder.witness.condition.unseen == 30)
  }
}
