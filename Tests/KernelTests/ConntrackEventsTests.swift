import Glibc
import Model
import Testing

@testable import Kernel

/// The running kernel's news of its connection table, in a namespace of the test's own, to a reader with little room.
@Suite(.enabled(if: ProcessesPrivileges.isRoot && Capabilities.mayEnterNamespaces))
struct ConntrackEventsTests {
  private static let flows: UInt16 = 5_000

  /// Runs `body` in a namespace that tracks and counts connections.
  private static func inside(_ body: () throws -> Void) throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      // On a busy machine a test takes longer than the usual half a minute.
      try run(["sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600"])
      try body()
    }
  }

  private static func run(_ arguments: [String]) throws { try OwnersChild(arguments).wait() }

  /// Makes a flow of one datagram to each of the first `count` ports, which are closed.
  private static func makeFlows(_ count: UInt16 = flows) throws {
    let socket = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    for port in 1...count { try socket.send(100, to: port) }
  }

  /// Waits for what must come; a failing test waits two minutes.
  private static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<120_000 {
      if try condition() { return true }
      usleep(1_000)
    }
    return false
  }

  /// With 4 KiB the kernel takes a quarter of a minute.
  @Test(arguments: [CInt(16_384), 4_096])
  func `reliable delivery loses no end, however little fits`(receiveBuffer: CInt) throws {
    try Self.inside {
      var events = try ConntrackEvents(receiveBuffer: receiveBuffer)
      let isReliable = events.isReliable
      #expect(isReliable)
      try Self.makeFlows()
      // Not read until all have ended.
      try Self.run(["conntrack", "-F"])
      var ended: Set<UInt16> = []
      var bytes: Set<UInt64> = []
      let isWhole = try Self.eventually {
        let receipt = try events.receive(limit: 10_000) { event in
          guard case .destroyed(let flow) = event, flow.original.transport == .udp else { return }
          ended.insert(flow.original.destination.port)
          bytes.insert(flow.counters.originalBytes)
        }
        #expect(!receipt.hasLost)
        return ended.count == Int(Self.flows)
      }
      #expect(isWhole, "\(ended.count) of \(Self.flows)")
      #expect(bytes == [128])
    }
  }

  @Test func `without it a loss is told`() throws {
    try Self.inside {
      var events = try ConntrackEvents(receiveBuffer: 4_096)
      events.setReliable(false)
      try Self.makeFlows()
      try Self.run(["conntrack", "-F"])
      var ended = 0
      var hasLost = false
      var isDrained = false
      while !isDrained {
        let receipt = try events.receive(limit: 100) { if case .destroyed = $0 { ended += 1 } }
        hasLost = hasLost || receipt.hasLost
        isDrained = receipt.isDrained
      }
      #expect(hasLost && ended < Int(Self.flows))
    }
  }

  @Test func `a stalled reader keeps entries in the table until it gives reliability up`() throws {
    try Self.inside {
      var events = try ConntrackEvents(receiveBuffer: 4_096)
      var watchdog = ReliabilityWatchdog()
      let before = watchdog.isReliable(fill: events.fill, at: .now)
      try Self.makeFlows(500)
      try Self.run(["conntrack", "-F"])
      #expect((ConntrackSettings.count() ?? 0) > 400)
      let facts = try HostFacts.read(.netlink, namespaces: false)
      #expect((facts.count ?? 0) > 400 && (facts.kept ?? 0) > 400)
      #expect(facts.findings.contains { $0.isProblem && $0.subject == "ended entries" }, "\(facts)")
      let after = watchdog.isReliable(fill: events.fill, at: .now)
      #expect(before && !after)
      events.setReliable(false)
      // But for what the doctor sent itself.
      #expect(Self.eventually { (ConntrackSettings.count() ?? .max) <= 2 })
      #expect(try Self.eventually { try NetlinkFlowTable().countOfKept() == 0 })
    }
  }

  @Test func `an end that is told again, because another listener has stalled, counts once`() throws {
    try Self.inside {
      var stalled = try ConntrackEvents(receiveBuffer: 4_096)
      var other = try ConntrackEvents()
      let listener = try FlowListener()
      try Self.makeFlows(500)
      try Self.run(["conntrack", "-F"])
      // What one of them has no room for all hear again, at each try.
      var told = 0
      let isRepeated = try Self.eventually {
        _ = try other.receive(limit: 10_000) { if case .destroyed = $0 { told += 1 } }
        return told > 510
      }
      #expect(isRepeated)
      stalled.setReliable(false)
      let isOver = Self.eventually { ConntrackSettings.count() == 0 }
      let hasHeardAll = Self.eventually { listener.settle() }
      #expect(isOver && hasHeardAll)
      let ended = listener.log.take().ended.filter { $0.original.transport == .udp }
      #expect(ended.map(\.original.destination.port).sorted() == Array(1...500))
    }
  }

  @Test(arguments: [true, false])
  func `all that was told before a question is in the log after its answer, or when it rests`(asks: Bool)
    throws
  {
    try Self.inside {
      let listener = try FlowListener()
      for round in 1...20 {
        try Self.makeFlows(200)
        try Self.run(["conntrack", "-F"])
        let isAnswered = Self.eventually { asks ? listener.settle() : listener.hasHeardAll }
        let batch = listener.log.take()
        #expect(isAnswered, "\(round)")
        #expect(batch.created.count { $0.original.transport == .udp } == 200, "\(round)")
        #expect(batch.ended.count { $0.original.transport == .udp } == 200, "\(round)")
        // Memory that was freed is used again first: some have the identifier and the ends of one before.
        let numbered = Set(batch.created.filter { $0.generation != 0 })
        #expect(numbered.count == batch.created.count { $0.generation != 0 })
        #expect(Set(batch.ended.map(\.identity)) == Set(batch.created))
      }
    }
  }

  /// Above the limit every reading is a dump, below it the dump after the loss is the only one.
  @Test(arguments: [UInt16(FlowRoster.queryLimit - 100), flows])
  func `a listener without room counts what it lost, and has all that lives and its bytes`(count: UInt16)
    throws
  {
    try Self.inside {
      let table = try LiveFlowTable { (_) throws(KernelError) in try FlowListener(receiveBuffer: 4_096) }
      var snapshot = FlowSnapshot()
      try table.read(into: &snapshot, at: .now)
      try Self.makeFlows(count)
      #expect(try Self.hasLost(table, &snapshot))
      for _ in 0..<2 {
        try table.read(into: &snapshot, at: .now)
        let ours = snapshot.flows.prefix(snapshot.livingCount).filter { $0.original.transport == .udp }
        #expect(Set(ours.map(\.original.destination.port)) == Set(1...count))
        #expect(ours.reduce(0) { $0 + $1.counters.originalBytes } == 128 * UInt64(count))
      }
    }
  }

  @Test func `a listener that fell behind keeps no ended entry in the table`() throws {
    try Self.inside {
      let table = try LiveFlowTable { (_) throws(KernelError) in try FlowListener(receiveBuffer: 4_096) }
      var snapshot = FlowSnapshot()
      try table.read(into: &snapshot, at: .now)
      try Self.makeFlows()
      #expect(try Self.hasLost(table, &snapshot))
      try Self.run(["conntrack", "-F"])
      // Reliable delivery keeps nearly all of them for seconds.
      #expect((ConntrackSettings.count() ?? .max) < Int(Self.flows) / 10)
      #expect(Self.eventually { ConntrackSettings.count() == 0 })
    }
  }

  @Test func `the buffer is as large as is asked for, whatever the system's limit`() throws {
    try Self.inside {
      let events = try ConntrackEvents()
      var size: CInt = 0
      var length = socklen_t(MemoryLayout<CInt>.size)
      // In bounds: the kernel writes one number.
      #expect(unsafe getsockopt(events.descriptor, SOL_SOCKET, SO_RCVBUF, &size, &length) == 0)
      // The kernel doubles it, for what it spends itself.
      #expect(size == 2 * ConntrackEvents.receiveBuffer)
    }
  }

  /// Waits until the table has counted a loss.
  private static func hasLost(_ table: LiveFlowTable, _ snapshot: inout FlowSnapshot) throws -> Bool {
    try eventually {
      try table.read(into: &snapshot, at: .now)
      return table.condition.missedEvents > 0
    }
  }
}
