import Lab
import Testing

/// A19, A20, A33, A34, A35: sockets that change hands, or that many wait at.
@Suite(
  .needs(.namespaces), .serialized, .laboratory(), .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct MonitorHandoverTests {
  @Test func `a process that runs another program keeps its row, under the new name`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let folder = try ScratchFolder()
    let successor = try await folder.copy(Program.traffic, as: "successor")
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(port) --send 1000000 --after 3000000 --gate --hold --exec \(successor)", in: lab.a
    )
    _ = try await client.counted()
    let before = try await monitor.report("the first program") {
      $0.usage(pid: client.pid).sent > 1_000_000
    }
    #expect(before.row(pid: client.pid)?.name.contains("tcp-exec") == true)
    client.go()
    let counts = try await client.counts(2)
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect(counts)
    let report = try await monitor.report("\(truth) under the new name") {
      $0.usage(pid: client.pid) == truth
        && $0.row(pid: client.pid)?.name.contains("successor tcp-resume") == true
    }
    #expect(report.rows.count == 1)
    #expect(report.row(pid: client.pid)?.exited == false)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  /// A client that gives its connection to its child by SCM_RIGHTS and, where it is kept, goes on holding it.
  private struct Passing {
    let lab: Topology
    let server: Traffic
    let monitor: Reporter
    let client: Traffic
    let child: Int32

    init(_ arguments: String, _ flags: [String] = [], interval: String = "0.1") async throws {
      lab = try await MonitorAccountingTests.readyTopology()
      server = try Traffic("tcp-serve", in: lab.b)
      let port = try await server.ready()
      monitor = try Reporter(flags, interval: interval, in: lab.a)
      try await monitor.report("a first report")
      client = try Traffic("tcp-pass 10.77.1.2 \(port) \(arguments) --hold", in: lab.a)
      child = try await client.child()
    }

    /// What A has moved, once both have moved everything.
    func truth() async throws -> HostView {
      let counts = try await client.counts(2)
      let (truth, flows) = try await lab.flowsOfA()
      flows.expect(counts)
      return truth
    }

    func finish() async throws {
      try await client.finish()
      try await server.finish()
    }
  }

  @Test(.needs(.calls)) func `a socket that two processes use is divided by what each moved`() async throws {
    let passing = try await Passing("--send 1000000 --after 3000000 --gate --keep", ["--witness", "bpf"])
    let (monitor, client) = (passing.monitor, passing.client)
    try await monitor.report("the first bytes") { $0.usage(pid: client.pid).sent > 1_000_000 }
    client.go()
    let truth = try await passing.truth()
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    let (first, second) = (report.usage(pid: client.pid), report.usage(pid: passing.child))
    #expect(first + second == truth && report.rows.count == 2)
    // With headers each has a little more than its payload.
    #expect((1_000_000...1_030_000).contains(first.sent) && (3_000_000...3_030_000).contains(second.sent))
    #expect(report.rows.allSatisfy { $0.match == "exact" && $0.shared != true })
    try await monitor.stop()
    try await passing.finish()
  }

  @Test(.needs(.calls)) func `a socket that two write to in one interval is divided within one per cent`()
    async throws
  {
    let passing = try await Passing(
      "--send 3000000 --after 7000000 --keep", ["--witness", "bpf"], interval: "600")
    let truth = try await passing.truth()
    try await passing.monitor.stop()
    let report = try #require(try passing.monitor.reports().last)
    #expect(report.balance.total.view == truth)
    let first = Double(report.usage(pid: passing.client.pid).sent)
    #expect(abs(first - 0.3 * Double(truth.sent)) < 0.01 * Double(truth.sent))
    #expect(report.usage(pids: [passing.client.pid, passing.child]) == truth)
    try await passing.finish()
  }

  @Test func `a socket that two processes hold is the older one's to who looks it up, and marked`()
    async throws
  {
    let passing = try await Passing("--send 1000000 --after 3000000 --gate --keep", ["--witness", "lookup"])
    let (monitor, client) = (passing.monitor, passing.client)
    client.go()
    let truth = try await passing.truth()
    let report = try await monitor.report("\(truth), shared") {
      $0.usage(pid: client.pid) == truth && $0.row(pid: client.pid)?.shared == true
    }
    #expect(report.row(pid: passing.child) == nil)
    #expect(report.balance.attributed.view == truth)
    try await monitor.stop()
    try await passing.finish()
  }

  @Test func `a socket that was handed over is its new holder's`() async throws {
    let passing = try await Passing("--send 1000000 --after 3000000 --gate")
    let (monitor, client) = (passing.monitor, passing.client)
    try await monitor.report("the first bytes") { $0.balance.total.sent > 1_000_000 }
    client.go()
    let truth = try await passing.truth()
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    #expect(report.usage(pid: passing.child).sent > 3_000_000)
    #expect(report.usage(pid: client.pid).sent < 1_020_000)
    #expect(report.usage(pids: [client.pid, passing.child]) == truth)
    try await monitor.stop()
    try await passing.finish()
  }

  @Test(arguments: ["", "--keep"])
  func `a thread's connection is its process's, also when the main thread has ended or shares no descriptors`(
    main: String
  ) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic("tcp-thread 10.77.1.2 \(port) --send 1000000 --hold \(main)", in: lab.a)
    let count = try await client.counted()
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect([count])
    let report = try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    #expect(report.rows.count == 1)
    #expect(report.row(pid: client.pid)?.name.contains("tcp-thread 10.77.1.2") == true)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test(arguments: ["--workers 4", "--workers 4 --prefork"])
  func `each worker has the bytes of the connections that it accepted`(workers: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve \(workers)", in: lab.a)
    let port = try await server.ready()
    let early = try Reporter(in: lab.a)
    try await early.report("a first report")
    let client = try Traffic(
      "tcp 10.77.1.1 \(port) --send 50000 --connections 24 --parallel --hold", in: lab.b)
    let count = try await client.counted()
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect([count])
    let received = try await early.report("\(truth) in all") { $0.balance.total.view == truth }
    // One that comes when all is accepted.
    try await eventually("no connection that waits") {
      let listeners = try await lab.a.run("ss -Htln sport = :\(port)").split(separator: "\n")
      return listeners.allSatisfy { $0.split(separator: " ")[1] == "0" } ? () : nil
    }
    let late = try Reporter(in: lab.a)
    let seen = try await late.report("\(truth) for workers") { $0.balance.attributed.view == truth }
    try await early.stop()
    try await late.stop()
    try await client.finish()
    try await server.finish()
    let counts = try await server.counts(4)
    #expect(counts.reduce(0) { $0 + $1.received } == 24 * 50_000)
    for count in counts {
      let most = count.received + count.received / 100 + 400 * count.connections
      #expect((count.received...most).contains(seen.usage(pid: count.pid).received))
      // What came before a report knew who accepts is nobody's; never another worker's.
      #expect(received.usage(pid: count.pid).received <= seen.usage(pid: count.pid).received)
    }
    #expect(seen.usage(pids: counts.map(\.pid)) == truth)
    let nobody = received.balance.unattributed
    #expect(nobody.reasons["ambiguous"] == nobody.received + nobody.sent)
    #expect(seen.row(pid: server.pid) == nil && received.row(pid: server.pid) == nil)
  }

  @Test func `before it is accepted a connection is provisionally its listener's`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve --gate", in: lab.a)
    let port = try await server.ready()
    let (client, monitor) = try await waitingClient(of: server, port, lab)
    server.go()
    client.go()
    let counts = try await client.counts(2)
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect(counts)
    try await monitor.report("\(truth)") { $0.usage(pid: server.pid) == truth }
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `a service that another process listens for has what it accepted`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    // The parent listens and never accepts, as systemd does; the service starts with the first connection.
    let server = try Traffic("tcp-serve --workers 1 --prefork --gate", in: lab.a)
    let port = try await server.ready()
    let (client, monitor) = try await waitingClient(of: server, port, lab)
    server.go()
    client.go()
    let counts = try await client.counts(2)
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect(counts)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
    let service = try await server.counted().pid
    #expect(service != server.pid)
    // At most a socket's buffer came before it accepted.
    #expect(report.usage(pid: service).received > 500_000)
    #expect(report.usage(pids: [service, server.pid]) == truth)
  }

  /// A client whose first bytes nobody has accepted, and a monitor that has seen them.
  private func waitingClient(
    of server: Traffic, _ port: Int, _ lab: Topology
  ) async throws -> (client: Traffic, monitor: Reporter) {
    let client = try Traffic(
      "tcp-exec 10.77.1.1 \(port) --send 20000 --after 1000000 --gate --hold --exec \(Program.traffic)",
      in: lab.b)
    _ = try await client.counted()
    // Nobody reads what has come.
    let truth = HostView(try await lab.a.quietConnections(), addresses: Topology.addressesOfA)
    let monitor = try Reporter(in: lab.a)
    let report = try await monitor.report("\(truth)") { $0.usage(pid: server.pid) == truth }
    #expect(report.row(pid: server.pid)?.match == "relaxed")
    return (client, monitor)
  }
}
