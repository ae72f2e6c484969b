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

  @Test(.needs(.calls)) func `a socket that two processes use is divided by what each moved`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(["--witness", "bpf"], in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic(
      "tcp-pass 10.77.1.2 \(port) --send 1000000 --after 3000000 --gate --hold --keep", in: lab.a)
    let child = try await client.child()
    try await monitor.report("the first bytes") { $0.usage(pid: client.pid).sent > 1_000_000 }
    client.go()
    let counts = try await client.counts(2)
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect(counts)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    let (first, second) = (report.usage(pid: client.pid), report.usage(pid: child))
    #expect(first + second == truth && report.rows.count == 2)
    // With headers each has a little more than its payload.
    #expect((1_000_000...1_030_000).contains(first.sent) && (3_000_000...3_030_000).contains(second.sent))
    #expect(report.rows.allSatisfy { $0.match == "exact" && $0.shared != true })
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `a socket that two processes hold is the older one's to who looks it up, and marked`()
    async throws
  {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(["--witness", "lookup"], in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic(
      "tcp-pass 10.77.1.2 \(port) --send 1000000 --after 3000000 --gate --hold --keep", in: lab.a)
    let child = try await client.child()
    client.go()
    let counts = try await client.counts(2)
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect(counts)
    let report = try await monitor.report("\(truth), shared") {
      $0.usage(pid: client.pid) == truth && $0.row(pid: client.pid)?.shared == true
    }
    #expect(report.row(pid: child) == nil)
    #expect(report.balance.attributed.view == truth)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `a socket that was handed over is its new holder's`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic(
      "tcp-pass 10.77.1.2 \(port) --send 1000000 --after 3000000 --gate --hold", in: lab.a)
    let child = try await client.child()
    try await monitor.report("the first bytes") { $0.balance.total.sent > 1_000_000 }
    client.go()
    let counts = try await client.counts(2)
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect(counts)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    #expect(report.usage(pid: child).sent > 3_000_000)
    #expect(report.usage(pid: client.pid).sent < 1_020_000)
    #expect(report.usage(pids: [client.pid, child]) == truth)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
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
    let heard = try await early.report("\(truth) in all") { $0.balance.total.view == truth }
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
      #expect(heard.usage(pid: count.pid).received <= seen.usage(pid: count.pid).received)
    }
    #expect(seen.usage(pids: counts.map(\.pid)) == truth)
    let nobody = heard.balance.unattributed
    #expect(nobody.reasons["ambiguous"] == nobody.received + nobody.sent)
    #expect(seen.row(pid: server.pid) == nil && heard.row(pid: server.pid) == nil)
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
