import Lab
import Glibc
import KernelLab
import Model
import SystemPackage
import Testing

@testable import Netfilter
@testable import Ownership
@testable import SystemRuntime

/// What a reading of the table has when the thread that follows it ends, or its sockets fail.
@Suite(.needs(.namespaces))
struct LiveFlowTableTests {
  /// Starts listeners and lets them fail.
  private final class Faults {
    var isBroken = false
    var started: [ConntrackEventThread] = []

    var looks: [Bool] = []

    func listen(_ living: LaterFlows, looks: Bool) throws(KernelError) -> ConntrackEventThread {
      if isBroken { throw .failed("listening", .noMemory) }
      let listener = try ConntrackEventThread(looks: looks, living: living)
      self.looks.append(looks)
      started.append(listener)
      return listener
    }
  }

  private static func makeFlow(to port: UInt16) throws {
    try SocketsOpened(AF_INET, SOCK_DGRAM, .udp).send(100, to: port)
  }

  private static func ports(_ flows: some Sequence<Flow>) -> [UInt16] {
    flows.filter { $0.original.transport == .udp }.map(\.original.destination.port).sorted()
  }

  @Test func `a listener that ends is started again, and until then the table is whole`() throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      try OwnersChild(["sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600"]).wait()
      let faults = Faults()
      let table = try LiveFlowTable(listen: faults.listen)
      var snapshot = FlowSnapshot()
      let start = Instant.now
      func read(after seconds: Int) throws -> [UInt16] {
        try table.read(into: &snapshot, at: start + .seconds(seconds))
        return Self.ports(snapshot.flows.prefix(snapshot.livingCount))
      }
      #expect(try read(after: 0).isEmpty)
      try Self.makeFlow(to: 1)
      // What is received while a reading is under way is in the next one.
      let hasReceivedFirst = faults.started[0].settle()
      #expect(hasReceivedFirst)
      #expect(try read(after: 1) == [1] && table.condition.eventFailure == nil)
      // What it had received before it ended is not lost with it.
      try Self.makeFlow(to: 2)
      let hasReceived = faults.started[0].settle()
      #expect(hasReceived)
      faults.started[0].queue.write { $0.failure = .failed("listening", .ioError) }
      faults.isBroken = true
      #expect(try read(after: 2) == [1, 2])
      #expect(table.condition.eventFailure == .failed("listening", .ioError))
      let missed = table.condition.missedEvents
      #expect(missed > 0)
      // Tried at once, then a second later; meanwhile every reading is a dump.
      try Self.makeFlow(to: 3)
      #expect(try read(after: 2) == [1, 2, 3])
      #expect(table.condition.eventFailure == .failed("listening", .noMemory))
      faults.isBroken = false
      try Self.makeFlow(to: 4)
      #expect(try read(after: 2) == [1, 2, 3, 4] && faults.started.count == 1)
      #expect(try read(after: 3) == [1, 2, 3, 4] && faults.started.count == 2)
      #expect(table.condition.eventFailure == nil)
      // Ends are reported again, with their last bytes.
      try OwnersChild(["conntrack", "-F"]).wait()
      #expect(try read(after: 4).isEmpty)
      let ended = snapshot.flows.filter { $0.original.transport == .udp }
      #expect(Self.ports(ended) == [1, 2, 3, 4] && ended.allSatisfy { $0.counters.originalBytes == 128 })
    }
  }

  @Test func `an entry that was made before a reading is in it, also while the thread rests`() throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      let table = try LiveFlowTable(looks: false)
      var snapshot = FlowSnapshot()
      try table.read(into: &snapshot, at: .now)
      for port in UInt16(1)...100 {
        try Self.makeFlow(to: port)
        try table.read(into: &snapshot, at: .now)
        #expect(Self.ports(snapshot.flows.prefix(snapshot.livingCount)).contains(port))
      }
    }
  }

  @Test func `owners are looked up once it is asked for, and no end counts twice`() throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      let faults = Faults()
      let table = try LiveFlowTable(looks: false, listen: faults.listen)
      var snapshot = FlowSnapshot()
      try table.read(into: &snapshot, at: .now)
      try Self.makeFlow(to: 1)
      try table.read(into: &snapshot, at: .now)
      #expect(snapshot.earlyOwners.isEmpty)
      try Self.makeFlow(to: 2)
      // Ends before and after it was asked count once, as before.
      try OwnersChild(["conntrack", "-D", "-p", "udp", "--dport", "1"]).wait()
      table.lookUpOwners()
      try OwnersChild(["conntrack", "-D", "-p", "udp", "--dport", "2"]).wait()
      try table.read(into: &snapshot, at: .now)
      #expect(faults.looks == [false])
      #expect(Self.ports(snapshot.flows.dropFirst(snapshot.livingCount)) == [1, 2])
      // On a busy machine one may be passed over.
      var isFound = false
      var port: UInt16 = 2
      while !isFound, port < 50 {
        port += 1
        let socket = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
        try socket.send(100, to: port)
        try table.read(into: &snapshot, at: .now)
        isFound = !snapshot.earlyOwners.isEmpty
      }
      #expect(isFound && Self.ports(snapshot.flows).contains(port))
      // One that takes its place does as well.
      faults.started[0].queue.write { $0.failure = .failed("listening", .ioError) }
      for seconds in [1, 2] { try table.read(into: &snapshot, at: .now + .seconds(seconds)) }
      #expect(faults.looks == [false, true])
    }
  }

  @Test func `where the kernel makes no events each reading has what is there`() throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      try OwnersChild(["sysctl", "-qw", "net.netfilter.nf_conntrack_events=0"]).wait()
      let table = try LiveFlowTable(looks: false)
      var snapshot = FlowSnapshot()
      for port in UInt16(1)...3 {
        try table.read(into: &snapshot, at: .now)
        try Self.makeFlow(to: port)
      }
      try table.read(into: &snapshot, at: .now)
      #expect(Self.ports(snapshot.flows.prefix(snapshot.livingCount)) == [1, 2, 3])
    }
  }

  @Test func `who was made and ended is known only while all is received`() throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      let faults = Faults()
      let table = try LiveFlowTable(listen: faults.listen)
      var snapshot = FlowSnapshot()
      let start = Instant.now
      func read(after seconds: Int) throws -> Bool {
        try table.read(into: &snapshot, at: start + .seconds(seconds))
        return snapshot.hasAllEvents
      }
      func set(events: Int) throws {
        try OwnersChild(["sysctl", "-qw", "net.netfilter.nf_conntrack_events=\(events)"]).wait()
      }
      try set(events: 1)
      #expect(try read(after: 0) && read(after: 1))
      try set(events: 0)
      #expect(try !read(after: 2))
      try set(events: 1)
      // Until the reading before there were no events.
      #expect(try !read(after: 3) && read(after: 4))
      faults.started[0].queue.write { $0.losses += 1 }
      #expect(try !read(after: 5) && !read(after: 6) && read(after: 7))
      faults.started[0].queue.write { $0.failure = .failed("listening", .ioError) }
      faults.isBroken = true
      #expect(try !read(after: 8) && !read(after: 9))
      faults.isBroken = false
      #expect(try !read(after: 100) && faults.started.count == 2 && read(after: 101))
    }
  }

  @Test func `one that goes on keeps the numbers of what lives, and gives none twice`() {
    let tuple = FlowTuple(
      source: Endpoint(address: IPAddress(v4: 1), port: 1),
      destination: Endpoint(address: IPAddress(v4: 2), port: 2), transport: .udp)
    func flow(_ id: UInt32) -> Flow {
      Flow(id: id, original: tuple, reply: tuple, counters: FlowCounters())
    }
    var first = FlowGenerations()
    var later = LaterFlows()
    // Each ends once and is made again; the second ends for good.
    for id in [UInt32(1), 2] {
      var made = flow(id)
      for _ in 0..<2 {
        made = flow(id)
        first.number(made: &made)
        later.note(made: made.identity)
        var ended = made
        if made.generation == 0 { first.number(ended: &ended) }
      }
      #expect(made.generation == id)
    }
    var gone = flow(2)
    gone.generation = 2
    later.note(ended: gone.identity)
    var second = FlowGenerations(after: later)
    var ended = flow(1)
    second.number(ended: &ended)
    #expect(ended.generation == 1)
    var made = flow(1)
    second.number(made: &made)
    #expect(made.generation == 3)
  }
}
