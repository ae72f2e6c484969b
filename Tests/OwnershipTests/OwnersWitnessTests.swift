import Glibc
import SystemRuntime
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// The running kernel's sockets, looked at as if their flow had just been reported; this process has both ends.
@Suite struct OwnersWitnessTests {
  private static let start = Instant.now

  /// A flow over loopback, and what is seen of its ends.
  private final class LoopbackFlow {
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

    func see() { witness.see(flow, at: start) { owner, _ in seen[owner.isClient] = owner } }

    /// Looks again when that is due; returns how often until nothing is.
    func settle() -> Int {
      for looks in 0... {
        guard let due = witness.due(at: start) else { return looks }
        idle(at: due)
      }
      return 0
    }

    func idle(at due: Instant) {
      witness.idle(at: due) { owner, _ in
        seen[owner.isClient] = owner
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
    let loopback = try LoopbackFlow(.tcp, from: client.port, to: listener.port)
    loopback.see()
    #expect(loopback.pids == [true: getpid()])
    let server = try listener.accept()
    _ = loopback.settle()
    #expect(loopback.pids == [true: getpid(), false: getpid()])
    #expect(server.port == listener.port)
  }

  @Test func `one that is never accepted is given up, and one that is closed at once`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    var client: SocketsOpened? = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    let port = client?.port ?? 0
    try client?.connect(to: listener.port)
    let loopback = try LoopbackFlow(.tcp, from: port, to: listener.port)
    loopback.see()
    #expect(loopback.settle() == LookupRetries.delays.count)
    loopback.see()
    client = nil
    do { _ = try listener.accept() }
    let ends = (loopback.flow.original.source, loopback.flow.original.destination)
    try SocketsOpened.waitForEnd(ends.0, ends.1)
    try SocketsOpened.waitForEnd(ends.1, ends.0)
    #expect(loopback.settle() == 1)
    #expect(loopback.pids == [true: getpid()])
  }

  @Test func `a connection that is given to a child is the child's`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    try client.connect(to: listener.port)
    var server: SocketsOpened? = try listener.accept()
    let loopback = try LoopbackFlow(.tcp, from: client.port, to: listener.port)
    loopback.see()
    #expect(loopback.pids == [true: getpid(), false: getpid()])
    let child = try OwnersChild(["sleep", "1000"], inherits: server?.descriptor)
    server = nil
    _ = loopback.settle()
    #expect(loopback.pids == [true: getpid(), false: child.pid])
    #expect(loopback.seen[false]?.certainty == Certainty())
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
    let loopback = try LoopbackFlow(.tcp, from: port, to: listener.port, root: proc.path)
    do {
      let server = try listener.accept()
      proc.hold(10, 4, server.inode)
      loopback.see()
      #expect(loopback.seen[false]?.process.pid == 10 && loopback.seen[false]?.certainty == Certainty())
      client = nil
    }
    proc.close(10, 4)
    let ends = (loopback.flow.original.source, loopback.flow.original.destination)
    try SocketsOpened.waitForEnd(ends.1, ends.0)
    switch fork {
    case .none: break
    case .reported: loopback.witness.finder.take(.fork(parent: 10, child: 11))
    case .numbered:
      proc.add(11, start: 200, parent: 10)
      proc.write("11/status", Array("Tgid:\t11\nUid:\t0\t0\t0\t0\n".utf8))
      number(11)
    }
    _ = loopback.settle()
    #expect(loopback.pids[false] == 10)
    let isOthers = fork != .none
    #expect(
      loopback.seen[false]?.certainty == Certainty(match: isOthers ? .relaxed : .exact, isShared: isOthers))
  }

  /// Without the kernel's events it is known only while it lives.
  @Test func `a child is noticed at each look, also when it ends before the socket is closed`() throws {
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    var client: SocketsOpened? = try Self.client(of: listener)
    let port = client?.port ?? 0
    let proc = ProcessesFakeProc()
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 10\n".utf8))
    proc.add(10, sockets: [3: listener.inode])
    let loopback = try LoopbackFlow(.tcp, from: port, to: listener.port, root: proc.path)
    do {
      let server = try listener.accept()
      proc.hold(10, 4, server.inode)
      loopback.see()
      proc.add(11, start: 200, parent: 10)
      proc.write("11/status", Array("Tgid:\t11\nUid:\t0\t0\t0\t0\n".utf8))
      proc.write("loadavg", Array("0.1 0.2 0.3 1/99 11\n".utf8))
      let due = loopback.witness.due(at: Self.start)
      loopback.idle(at: try #require(due))
      #expect(loopback.seen[false]?.certainty == Certainty())
      client = nil
    }
    proc.end(11)
    proc.close(10, 4)
    let ends = (loopback.flow.original.source, loopback.flow.original.destination)
    try SocketsOpened.waitForEnd(ends.1, ends.0)
    _ = loopback.settle()
    #expect(loopback.seen[false]?.process.pid == 10)
    #expect(loopback.seen[false]?.certainty == Certainty(match: .relaxed, isShared: true))
  }

  @Test func `datagram sockets are named at once at both ends`() throws {
    let server = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let client = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    try client.connect(to: server.port)
    let loopback = try LoopbackFlow(.udp, from: client.port, to: server.port)
    loopback.see()
    #expect(loopback.pids == [true: getpid(), false: getpid()])
    #expect(loopback.settle() == 0)
  }

  @Test func `between two looks others may be let through`() throws {
    let server = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let client = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    try client.connect(to: server.port)
    let loopback = try LoopbackFlow(.udp, from: client.port, to: server.port)
    var order: [String] = []
    loopback.witness.see(loopback.flow, at: Self.start) { owner, _ in
      order.append(owner.isClient ? "client" : "server")
    } breathe: {
      order.append("breath")
    }
    #expect(order == ["breath", "client", "breath", "server"])
    // Also between those that are looked at again.
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let later = try LoopbackFlow(.tcp, from: 1, to: listener.port)
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
    let loopback = try LoopbackFlow(.tcp, from: 1, to: listener.port)
    for _ in 0..<4_000 { loopback.see() }
    let due = Self.start + LookupRetries.delays[0]
    var (asked, looks) = (0, 0)
    loopback.witness.idle(at: due) { _, _ in
    } isUrgent: {
      asked += 1
      return asked >= questions
    } breathe: {
      looks += 1
    }
    #expect((1...questions).contains(looks) && asked >= questions)
    #expect(loopback.witness.due(at: due).map { $0 <= due } == true)
    loopback.witness.idle(at: due) { _, _ in
    } isUrgent: {
      false
    } breathe: {
      looks += 1
    }
    #expect(looks == 4_000)
    #expect(loopback.witness.due(at: due).map { $0 > due } ?? true)
  }

  @Test func `without diagnostics of sockets nothing is seen, and nothing fails`() throws {
    let server = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let client = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    try client.connect(to: server.port)
    let loopback = try LoopbackFlow(.udp, from: client.port, to: server.port)
    loopback.witness = EarlyAttribution(
      try OwnerFinder(usesEvents: false, at: Self.start), nil, at: Self.start)
    loopback.see()
    #expect(loopback.pids.isEmpty && loopback.settle() == 0)
    #expect(loopback.witness.condition == EarlyAttribution.Condition(denied: loopback.witness.finder.denied))
  }

  @Test func `this kernel has diagnostics of sockets, but not of every protocol`() throws {
    #expect(SocketDiagnostics.missing().isEmpty)
    var socket = try NetlinkSocket(.socketDiagnostics)
    #expect(SocketDiagnostics.isMissing(TransportProtocol(rawValue: 253), socket: &socket))
    #expect(!SocketDiagnostics.isMissing(.tcp, socket: &socket))
  }

  @Test func `what was not looked at is in the condition`() throws {
    let loopback = try LoopbackFlow(.udp, from: 1, to: 2)
    let before = loopback.witness.condition
    loopback.witness.passOver(loopback.flow)
    // Nobody looks for the owner of what has no table.
    var other = loopback.flow
    other.original.transport = .sctp
    loopback.witness.passOver(other)
    #expect(loopback.witness.condition.unseen == before.unseen + 1)
    loopback.witness.finder.search.cutShort += 2
    loopback.witness.finder.programs.skipped += 3
    loopback.witness.finder.events.lost += 4
    loopback.witness.finder.events.malformed += 5
    let after = loopback.witness.condition
    #expect(after.unseen == before.unseen + 6)
    #expect(after.missedEvents == before.missedEvents + 4 && after.malformed == before.malformed + 5)
  }
}
