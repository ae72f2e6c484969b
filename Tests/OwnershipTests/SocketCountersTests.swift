import Lab
import Glibc
import KernelLab
import Model
import SystemPackage
import Testing

@testable import Netfilter
@testable import Ownership
@testable import SystemRuntime

/// The running kernel's connection table in a namespace of the test's own.
@Suite(.needs(.namespaces))
struct SocketCountersTests {
  private final class Connection {
    let listener: SocketsOpened
    var client: SocketsOpened?
    var server: SocketsOpened?

    init() throws {
      listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
      listener.listen()
      let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
      try client.connect(to: listener.port)
      server = try listener.accept()
      self.client = client
    }

    /// Sends that much from the client and reads it at the server.
    func move(_ count: Int) throws {
      let (client, server) = (try #require(client), try #require(server))
      var buffer = [UInt8](repeating: 7, count: count)
      #expect(unsafe send(client.descriptor, buffer, count, 0) == count)
      #expect(unsafe recv(server.descriptor, &buffer, count, CInt(MSG_WAITALL)) == count)
    }

    /// Ends both ends in order, the client first.
    func end() throws {
      client = nil
      var byte: UInt8 = 0
      #expect(unsafe recv(try #require(server).descriptor, &byte, 1, 0) == 0)
      server = nil
    }
  }

  /// The flow to the connection's port, once `isReady` says so; a failing test waits half a minute.
  private static func flow(
    _ table: LiveFlowTable, to port: UInt16, _ isReady: (Flow) -> Bool
  ) throws -> Flow? {
    var last: Flow?
    for _ in 0..<30_000 {
      var snapshot = FlowSnapshot()
      try table.read(into: &snapshot, at: .now)
      last = snapshot.flows.prefix(snapshot.livingCount).first { $0.original.destination.port == port }
      if let last, isReady(last) { return last }
      usleep(1_000)
    }
    return last
  }

  @Test func `a connection older than accounting has the payload of its sockets, also the last of it`() throws
  {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: false)
      let connection = try Connection()
      let port = connection.listener.port
      try connection.move(1_000)
      try NamespacesChild.setAccounting(true)
      let table = try LiveFlowTable()
      let first = try Self.flow(table, to: port) { $0.counters.originalBytes == 1_000 }
      #expect(first?.isCounted == false)
      #expect(first?.counters == FlowCounters(originalBytes: 1_000))
      try connection.move(500)
      let second = try Self.flow(table, to: port) { $0.counters.originalBytes == 1_500 }
      #expect(second?.counters == FlowCounters(originalBytes: 1_500))
      // Nobody looks between these bytes and the end: only the event of it reports them.
      for _ in 0..<7 { try connection.move(10_000) }
      try connection.end()
      let last = try Self.flow(table, to: port) { $0.counters.originalBytes == 71_500 }
      #expect(last?.counters == FlowCounters(originalBytes: 71_500) && last?.isCounted == false)
      #expect(try Self.flow(table, to: port) { _ in true }?.counters == last?.counters)
    }
  }

  @Test func `both witnesses agree on a counted connection`() throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      var ends = try SocketDestroyEvents()
      let connection = try Connection()
      let port = connection.listener.port
      for _ in 0..<20 { try connection.move(1_000) }
      try connection.end()
      var payload: Usage?
      for _ in 0..<30_000 where payload == nil {
        _ = try ends.receive(limit: 1_000) { if $0.remote.port == port { payload = $0.payload } }
        usleep(1_000)
      }
      #expect(payload == Usage(received: 0, sent: 20_000))
      // Headers of IPv4 and TCP with a time stamp are 52 bytes; the first packet's has eight more.
      let table = try LiveFlowTable()
      let flow = try #require(
        try Self.flow(table, to: port) {
          $0.counters.originalBytes == 20_000 + 52 * $0.counters.originalPackets + 8
        })
      #expect(
        flow.isCounted && flow.counters.originalBytes == 20_000 + 52 * flow.counters.originalPackets + 8)
      #expect(flow.counters.replyBytes == 52 * flow.counters.replyPackets + 8)
    }
  }

  @Test(arguments: [KernelError.unsupported("x"), .notPermitted("x"), .failed("x", .noMemory)])
  func `where sockets are not reported, connections stay uncounted and nothing ends`(error: KernelError) {
    let ends = [1, 2].map { Endpoint(address: IPAddress(v4: 0x7f00_0001), port: $0) }
    let flow = Flow(
      id: 1, isCounted: false, original: FlowTuple(source: ends[0], destination: ends[1], transport: .tcp),
      reply: FlowTuple(source: ends[1], destination: ends[0], transport: .tcp), counters: FlowCounters())
    var flows = [flow]
    var attempts = 0
    var counters = SocketCounters { () throws(KernelError) in
      attempts += 1
      throw error
    }
    for _ in 0..<3 { counters.complete(&flows) }
    #expect(flows == [flow])
    // What the kernel lacks it is not asked for again; what fails for now is, and is reported.
    let isLasting = if case .failed = error { false } else { true }
    #expect(attempts == (isLasting ? 1 : 3) && counters.losses == (isLasting ? 0 : 3))
  }

  @Test func `there is room for so many connections, and none is counted twice`() throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: false)
      let connection = try Connection()
      try connection.move(10)
      let table = try NetlinkFlowTable()
      var flows: [Flow] = []
      try table.read(into: &flows)
      let flow = try #require(flows.first { $0.original.destination.port == connection.listener.port })
      let strangers = (1...UInt32(SocketCounters.limit)).map { id in
        var stranger = flow
        stranger.id = flow.id &+ id
        return stranger
      }
      var counters = SocketCounters()
      var first = Array(strangers.dropLast()) + [flow]
      counters.complete(&first)
      #expect(first.allSatisfy { $0.counters.originalBytes == 10 })
      // One more comes before those that are known.
      var second = [strangers[strangers.count - 1]] + first
      for index in second.indices { second[index].counters = FlowCounters() }
      counters.complete(&second)
      #expect(second.map(\.counters.originalBytes) == [0] + first.map { _ in 10 })
    }
  }
}
