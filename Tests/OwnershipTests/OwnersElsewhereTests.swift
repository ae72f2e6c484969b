import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter
@testable import Ownership
@testable import SystemRuntime

/// Ends of new flows in other network namespaces; this process has the sockets.
@Suite(.serialized, .needs(.namespaces))
struct OwnersElsewhereTests {
  private static let start = Instant.now
  private static let address: UInt32 = 0x0a62_0001

  /// What a lookup sees of the machine: this process and the children that were added. Other tests start processes
  /// and make namespaces meanwhile.
  private final class World {
    private let proc = ProcessesFakeProc()
    var path: String { proc.path }

    init(_ children: [NamespacesChild] = []) {
      proc.link("thread-self", "/proc/thread-self")
      // Without its threads: other tests' are in other namespaces for a while.
      proc.folder("\(getpid())")
      for name in ["cgroup", "cmdline", "comm", "exe", "fd", "net", "ns", "stat", "status"] {
        proc.link("\(getpid())/\(name)", "/proc/\(getpid())/\(name)")
      }
      for child in children { add(child) }
    }

    func add(_ child: NamespacesChild) { proc.link("\(child.pid)", "/proc/\(child.pid)") }
  }

  private final class OwnerRecorder {
    var witness: EarlyAttribution
    var seen: [EarlyOwner] = []
    // Gone with its owner.
    private let world: World

    init(_ world: World, namespaces: Bool = true, limit: Int = NamespaceSockets.limits.known) throws {
      self.world = world
      // Other tests hold tens of thousands of descriptors in this process.
      var limits = OwnerFinder.Limits()
      (limits.looks, limits.looksPerSecond) = (10_000_000, 10_000_000)
      let start = OwnersElsewhereTests.start
      let elsewhere = namespaces ? try NamespaceSockets(root: world.path, limit: limit, at: start) : nil
      witness = EarlyAttribution(
        try OwnerFinder(root: world.path, usesEvents: false, limits: limits, at: start), try SocketLookup(),
        elsewhere, at: start)
    }

    func see(_ transport: TransportProtocol, from client: UInt16, to server: UInt16) {
      let ends = [client, server].map {
        Endpoint(address: IPAddress(v4: OwnersElsewhereTests.address), port: $0)
      }
      let flow = Flow(
        id: 1, original: FlowTuple(source: ends[0], destination: ends[1], transport: transport),
        reply: FlowTuple(source: ends[1], destination: ends[0], transport: transport),
        counters: FlowCounters())
      witness.see(flow, at: OwnersElsewhereTests.start) { owner, _ in seen.append(owner) }
    }

    /// Looks again until both ends are named: other tests open descriptors of this process faster than a short search
    /// reads.
    func untilBoth() {
      for _ in 0..<16 where seen.count < 2 { _ = wait() }
    }

    /// Does what is due; returns when that was.
    func wait() -> Instant? {
      guard let due = witness.due(at: OwnersElsewhereTests.start) else { return nil }
      witness.idle(at: due) { owner, _ in
        seen.append(owner)
      } isUrgent: {
        false
      }
      return due
    }
  }

  private static func pair(in child: NamespacesChild) throws -> (SocketsOpened, SocketsOpened, SocketsOpened)
  {
    let (client, listener) = try waiting(in: child)
    return (client, listener, try listener.accept())
  }

  /// A client, and a listener that has not accepted it.
  private static func waiting(in child: NamespacesChild) throws -> (SocketsOpened, SocketsOpened) {
    try child.inside {
      let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp, bindTo: nil)
      #expect(listener.bindV4(0, Self.address))
      listener.listen()
      let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp, bindTo: nil)
      try client.connect(to: listener.port, at: Self.address)
      return (client, listener)
    }
  }

  @Test func `both ends are named, and what was opened is closed five seconds later`() throws {
    let child = try NamespacesChild(address: Self.address)
    let (client, listener, server) = try Self.pair(in: child)
    let recorder = try OwnerRecorder(World([child]))
    recorder.see(.tcp, from: client.port, to: listener.port)
    recorder.untilBoth()
    #expect(Set(recorder.seen.map(\.isClient)) == [true, false])
    #expect(recorder.seen.allSatisfy { $0.process.pid == getpid() && $0.hasAddress })
    #expect(recorder.seen.allSatisfy { $0.certainty.match == .exact })
    // Before that it is looked three times whether the server hands its socket on.
    let waits = Array(sequence(state: ()) { _ in recorder.wait() })
    #expect(waits.last == Self.start + .seconds(5) && waits.count == 1 + LookupRetries.handoverLooks.count)
    #expect(server.inode != 0)
  }

  @Test func `a namespace that is new is found when it is next looked which there are`() throws {
    let world = World()
    let recorder = try OwnerRecorder(world)
    let child = try NamespacesChild(address: Self.address)
    world.add(child)
    let (client, listener, server) = try Self.pair(in: child)
    recorder.see(.tcp, from: client.port, to: listener.port)
    #expect(recorder.seen.isEmpty)
    let due = try #require(recorder.wait())
    #expect(due > Self.start && due <= Self.start + NamespaceSockets.pauses.longest)
    recorder.untilBoth()
    #expect(Set(recorder.seen.map(\.isClient)) == [true, false])
    #expect(server.inode != 0)
  }

  @Test func `of too many that nobody here has, those are counted that a new namespace may have`() throws {
    let world = World()
    let recorder = try OwnerRecorder(world)
    func seeAll() {
      for port in 1...UInt16(FlowSocketLookup.capacity + 9) { recorder.see(.udp, from: port, to: 9) }
    }
    seeAll()
    let child = try NamespacesChild(address: Self.address)
    world.add(child)
    #expect(recorder.wait() != nil)
    #expect(recorder.witness.condition.unseen == 9)
    #expect(recorder.seen.isEmpty && child.inode != 0)
  }

  @Test func `a socket without a peer is named by its address`() throws {
    let child = try NamespacesChild(address: Self.address)
    let socket = try child.inside { try SocketsOpened(AF_INET, SOCK_DGRAM, .udp, bindTo: nil) }
    #expect(socket.bindV4(0, 0))
    let recorder = try OwnerRecorder(World([child]))
    recorder.see(.udp, from: socket.port, to: 9)
    for _ in 0..<16 where recorder.seen.isEmpty { _ = recorder.wait() }
    #expect(recorder.seen.map(\.isClient) == [true])
    #expect(recorder.seen.map(\.hasAddress) == [true])
  }

  @Test func `of several namespaces with an address that one counts which has the connection`() throws {
    let both = try (0..<2).map { _ in try NamespacesChild(address: Self.address) }
    for child in both {
      let (client, listener, server) = try Self.pair(in: child)
      let recorder = try OwnerRecorder(World(both))
      recorder.see(.tcp, from: client.port, to: listener.port)
      recorder.untilBoth()
      #expect(Set(recorder.seen.map(\.isClient)) == [true, false] && server.inode != 0)
      #expect(recorder.seen.allSatisfy { $0.certainty.match == .exact && $0.process.pid == getpid() })
    }
  }

  @Test func `a server in one of several namespaces with an address is named once it has accepted`() throws {
    let child = try NamespacesChild(address: Self.address)
    let twin = try NamespacesChild(address: Self.address)
    let (client, listener) = try Self.waiting(in: child)
    let recorder = try OwnerRecorder(World([child, twin]))
    recorder.see(.tcp, from: client.port, to: listener.port)
    #expect(!recorder.seen.contains { !$0.isClient })
    let server = try listener.accept()
    recorder.untilBoth()
    #expect(Set(recorder.seen.map(\.isClient)) == [true, false])
    #expect(server.inode != 0 && twin.inode != child.inode)
  }

  @Test func `while one of several namespaces with an address cannot be asked it is nobody's`() throws {
    let child = try NamespacesChild(address: Self.address)
    let twin = try NamespacesChild(address: Self.address)
    let (client, listener, server) = try Self.pair(in: child)
    let recorder = try OwnerRecorder(World([child, twin]))
    // Its namespace may live on with another process.
    twin.end()
    recorder.see(.tcp, from: client.port, to: listener.port)
    #expect(recorder.seen.isEmpty)
    recorder.untilBoth()
    #expect(Set(recorder.seen.map(\.isClient)) == [true, false] && server.inode != 0)
  }

  @Test func `what fits in several namespaces is nobody's`() throws {
    let both = try (0..<2).map { _ in try NamespacesChild(address: Self.address) }
    // Without a peer: each fits by its address alone.
    let sockets = try both.map { try $0.inside { try SocketsOpened(AF_INET, SOCK_DGRAM, .udp, bindTo: nil) } }
    #expect(sockets[0].bindV4(0, 0))
    #expect(sockets[1].bindV4(sockets[0].port, 0))
    let recorder = try OwnerRecorder(World(both))
    recorder.see(.udp, from: sockets[0].port, to: 9)
    _ = recorder.wait()
    #expect(recorder.seen.isEmpty)
  }

  @Test func `of more namespaces with an address than can be asked at once it is nobody's`() throws {
    let all = try (0..<9).map { _ in try NamespacesChild(address: Self.address) }
    let (client, listener, server) = try Self.pair(in: all[0])
    let recorder = try OwnerRecorder(World(all))
    recorder.see(.tcp, from: client.port, to: listener.port)
    _ = recorder.wait()
    #expect(recorder.seen.isEmpty && server.inode != 0)
  }

  @Test func `who is found while not all namespaces could be compared is relaxed`() throws {
    let both = try (0..<2).map { _ in try NamespacesChild(address: Self.address) }
    // The one that there is room for is the first by its number.
    let first = try #require(both.min { $0.inode < $1.inode })
    let (client, listener, server) = try Self.pair(in: first)
    let recorder = try OwnerRecorder(World(both), limit: 1)
    recorder.see(.tcp, from: client.port, to: listener.port)
    recorder.untilBoth()
    #expect(Set(recorder.seen.map(\.isClient)) == [true, false])
    #expect(recorder.seen.allSatisfy { $0.certainty.match == .relaxed && $0.process.pid == getpid() })
    #expect(server.inode != 0)
  }

  @Test func `where they are not wanted other namespaces are not looked into`() throws {
    let child = try NamespacesChild(address: Self.address)
    let (client, listener, server) = try Self.pair(in: child)
    let recorder = try OwnerRecorder(World([child]), namespaces: false)
    recorder.see(.tcp, from: client.port, to: listener.port)
    #expect(recorder.seen.isEmpty && recorder.wait() == nil)
    #expect(server.inode != 0)
  }

  @Test func `a flow of this host's own is not looked for elsewhere`() throws {
    let recorder = try OwnerRecorder(World())
    let ends = [UInt16(1), 2].map { Endpoint(address: IPAddress(v4: 0x7f00_0001), port: $0) }
    let tuple = FlowTuple(source: ends[0], destination: ends[1], transport: .udp)
    recorder.witness.see(
      Flow(id: 1, original: tuple, reply: tuple, counters: FlowCounters()), at: Self.start
    ) { owner, _ in recorder.seen.append(owner) }
    #expect(recorder.seen.isEmpty && recorder.wait() == nil)
  }
}
