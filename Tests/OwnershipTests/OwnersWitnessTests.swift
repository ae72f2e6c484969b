import Glibc
import SystemRuntime
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// The running kernel's sockets, looked at as if their flow had just been heard of; this process has both ends.
@Suite struct OwnersWitnessTests {
  private static let start = Instant.now

  /// A flow over loopback, and what is seen of its ends.
  private final class Watch {
    var witness: EarlyAttribution
    let flow: Flow
    var seen: [Bool: EarlyOwner] = [:]

    init(
      _ transport: TransportProtocol, from client: UInt16, to server: UInt16, root: String = "/proc"
    ) throws {
      // Programs of other tests hold tens of thousands of descriptors.
      var limits = OwnerFinder.Limits()
      (limits.looks, limits.looksPerSecond) = (10_000_000, 10_000_000)
      witness = EarlyAttribution(
        try OwnerFinder(root: root, usesEvents: false, limits: limits, at: OwnersWitnessTests.start),
        try SocketLookup(),
        at: OwnersWitnessTests.start)
      let ends = [client, server].map { Endpoint(address: IPAddress(v4: 0x7f00_0001), port: $0) }
      flow = Flow(
        id: 1, original: FlowTuple(source: ends[0], destination: ends[1], transport: transport),
        reply: FlowTuple(source: ends[1], destination: ends[0], transport: transport),
        counters: FlowCounters())
    }

    func see() { witness.see(flow, at: start) { sighting, _ in seen[sighting.isClient] = sighting } }

    /// Looks again when that is due; returns how often until nothing is.
    func settle() -> Int {
      for looks in 0... {
        guard let due = witness.due(at: start) else { return looks }
        idle(at: due)
      }
      return 0
    }

    func idle(at due: Instant) {
      witness.idle(at: due) { sighting, _ in
        seen[sighting.isClient] = sighting
      } isUrgent: {
        false
      }
    }

    var pids: [Bool: pid_t] { seen.mapValues(\.process.pid) }
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
    #expect(watch.settle() == LookupRetries.delays.count)
    watch.see()
    client = nil
    do { _ = try listener.accept() }
    let ends = (watch.flow.original.source, watch.flow.original.destination)
    try SocketsOpened.waitForEnd(ends.0, ends.1)
    try SocketsOpened.waitForEnd(ends.1, ends.0)
    #expect(watch.settle() == 1)
    #expect(watch.pids == [true: getpid()])
  }

  @Test func `a connection that is given to a child is the child's`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    var server: SocketsOpened? = try listener.accept()
    let watch = try Watch(.tcp, from: client.port, to: listener.port)
    watch.see()
    #expect(watch.pids == [true: getpid(), false: getpid()])
    let child = try OwnersChild(["sleep", "1000"], inherits: server?.descriptor)
    server = nil
    _ = watch.settle()
    #expect(watch.pids == [true: getpid(), false: child.pid])
    #expect(watch.seen[false]?.certainty == Certainty())
  }

  /// A socket that has connected to `listener`, which is made to listen.
  private static func client(of listener: SocketsOpened) throws -> SocketsOpened {
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    return client
  }

  /// How it is known that a server made a child meanwhile.
  enum Fork: CaseIterable { case none, reported, numbered }

  @Test(arguments: Fork.allCases)
  func `what is closed soon after it was accepted may have been a child's, if there was one`(fork: Fork)
    throws
  {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    var client: SocketsOpened? = try Self.client(of: listener)
    let port = client?.port ?? 0
    let proc = ProcessesFakeProc()
    func number(_ last: Int32) { proc.write("loadavg", Array("0.1 0.2 0.3 1/99 \(last)\n".utf8)) }
    number(10)
    proc.add(10, sockets: [3: listener.inode])
    let watch = try Watch(.tcp, from: port, to: listener.port, root: proc.path)
    do {
      let server = try listener.accept()
      proc.hold(10, 4, server.inode)
      watch.see()
      #expect(watch.seen[false]?.process.pid == 10 && watch.seen[false]?.certainty == Certainty())
      client = nil
    }
    proc.close(10, 4)
    let ends = (watch.flow.original.source, watch.flow.original.destination)
    try SocketsOpened.waitForEnd(ends.1, ends.0)
    switch fork {
    case .none: break
    case .reported: watch.witness.finder.take(.fork(parent: 10, child: 11))
    case .numbered:
      proc.add(11, start: 200, parent: 10)
      proc.write("11/status", Array("Tgid:\t11\nUid:\t0\t0\t0\t0\n".utf8))
      number(11)
    }
    _ = watch.settle()
    #expect(watch.pids[false] == 10)
    let isOthers = fork != .none
    #expect(
      watch.seen[false]?.certainty == Certainty(match: isOthers ? .relaxed : .exact, isShared: isOthers))
  }

  /// Without the kernel's events it is known only while it lives.
  @Test func `a child is noticed at each look, also when it ends before the socket is closed`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    var client: SocketsOpened? = try Self.client(of: listener)
    let port = client?.port ?? 0
    let proc = ProcessesFakeProc()
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 10\n".utf8))
    proc.add(10, sockets: [3: listener.inode])
    let watch = try Watch(.tcp, from: port, to: listener.port, root: proc.path)
    do {
      let server = try listener.accept()
      proc.hold(10, 4, server.inode)
      watch.see()
      proc.add(11, start: 200, parent: 10)
      proc.write("11/status", Array("Tgid:\t11\nUid:\t0\t0\t0\t0\n".utf8))
      proc.write("loadavg", Array("0.1 0.2 0.3 1/99 11\n".utf8))
      let due = watch.witness.due(at: Self.start)
      watch.idle(at: try #require(due))
      #expect(watch.seen[false]?.certainty == Certainty())
      client = nil
    }
    proc.end(11)
    proc.close(10, 4)
    let ends = (watch.flow.original.source, watch.flow.original.destination)
    try SocketsOpened.waitForEnd(ends.1, ends.0)
    _ = watch.settle()
    #expect(watch.seen[false]?.process.pid == 10)
    #expect(watch.seen[false]?.certainty == Certainty(match: .relaxed, isShared: true))
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

  @Test func `between two looks others may be let through`() throws {
    let server = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let client = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    try client.connect(to: server.port)
    let watch = try Watch(.udp, from: client.port, to: server.port)
    var order: [String] = []
    watch.witness.see(watch.flow, at: Self.start) { sighting, _ in
      order.append(sighting.isClient ? "client" : "server")
    } breathe: {
      order.append("breath")
    }
    #expect(order == ["breath", "client", "breath", "server"])
    // Also between those that are looked at again.
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let later = try Watch(.tcp, from: 1, to: listener.port)
    for _ in 0..<3 { later.see() }
    var breaths = 0
    later.witness.idle(at: Self.start + LookupRetries.delays[0]) { _, _ in
    } isUrgent: {
      false
    } breathe: {
      breaths += 1
    }
    #expect(breaths == 3)
  }

  /// As with a server that does not accept: what comes meanwhile is read after one look more, whatever waits.
  @Test(arguments: [1, 2, 100])
  func `looks that are due never delay what is urgent, and are not lost by it`(questions: Int) throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let watch = try Watch(.tcp, from: 1, to: listener.port)
    for _ in 0..<4_000 { watch.see() }
    let due = Self.start + LookupRetries.delays[0]
    var (asked, looks) = (0, 0)
    watch.witness.idle(at: due) { _, _ in
    } isUrgent: {
      asked += 1
      return asked >= questions
    } breathe: {
      looks += 1
    }
    #expect((1...questions).contains(looks) && asked >= questions)
    #expect(watch.witness.due(at: due).map { $0 <= due } == true)
    watch.witness.idle(at: due) { _, _ in
    } isUrgent: {
      false
    } breathe: {
      looks += 1
    }
    #expect(looks == 4_000)
    #expect(watch.witness.due(at: due).map { $0 > due } ?? true)
  }

  @Test func `without diagnostics of sockets nothing is seen, and nothing fails`() throws {
    let server = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let client = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    try client.connect(to: server.port)
    let watch = try Watch(.udp, from: client.port, to: server.port)
    watch.witness = EarlyAttribution(try OwnerFinder(usesEvents: false, at: Self.start), nil, at: Self.start)
    watch.see()
    #expect(watch.pids.isEmpty && watch.settle() == 0)
    #expect(watch.witness.condition == EarlyAttribution.Condition(denied: watch.witness.finder.denied))
  }

  @Test func `this kernel has diagnostics of sockets, but not of every protocol`() throws {
    #expect(SocketDiagnostics.missing().isEmpty)
    var socket = try NetlinkSocket(.socketDiagnostics)
    #expect(SocketDiagnostics.isMissing(TransportProtocol(rawValue: 253), socket: &socket))
    #expect(!SocketDiagnostics.isMissing(.tcp, socket: &socket))
  }

  @Test func `what was not looked at is in the condition`() throws {
    let watch = try Watch(.udp, from: 1, to: 2)
    let before = watch.witness.condition
    watch.witness.passOver(watch.flow)
    // Nobody looks for the owner of what has no table.
    var other = watch.flow
    other.original.transport = .sctp
    watch.witness.passOver(other)
    #expect(watch.witness.condition.unseen == before.unseen + 1)
    watch.witness.finder.search.cutShort += 2
    watch.witness.finder.programs.skipped += 3
    watch.witness.finder.events.lost += 4
    watch.witness.finder.events.malformed += 5
    let after = watch.witness.condition
    #expect(after.unseen == before.unseen + 6)
    #expect(after.missedEvents == before.missedEvents + 4 && after.malformed == before.malformed + 5)
  }
}
