import Lab
import Testing

/// A17, A18, A24, A39, A50: connections older than the program, processes that go, tables that are emptied.
@Suite(
  .needs(.namespaces), .serialized, .laboratory(), .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct MonitorLifetimeTests {
  private func start() async throws -> (lab: Topology, server: Traffic, port: Int) {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    return (lab, server, try await server.ready())
  }

  @Test func `the first report comes at once, with what had moved before and no rates`() async throws {
    let (lab, server, port) = try await start()
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 4000000 --hold", in: lab.a)
    _ = try await client.counted()
    let truth = try await lab.viewOfA()
    let monitor = try Reporter(interval: "3600", in: lab.a)
    let first = try await monitor.report("a report long before an interval is over")
    #expect(first.interval ?? 0 == 0)
    #expect(first.usage(pid: client.pid) == truth)
    #expect(first.rows.allSatisfy { $0.receivedRate == 0 && $0.sentRate == 0 })
    try await monitor.stop()
    let last = try #require(try monitor.reports().last)
    #expect(try monitor.reports().count == 2)
    #expect(last.usage(pid: client.pid) == truth)
    #expect(last.rows.allSatisfy { $0.receivedRate == 0 && $0.sentRate == 0 })
    try await client.finish()
    try await server.finish()
  }

  @Test func `without lookback only what moves from now on counts`() async throws {
    let (lab, server, port) = try await start()
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(port) --send 4000000 --after 1000000 --gate --hold --exec \(Program.traffic)",
      in: lab.a)
    _ = try await client.counted()
    let before = try await lab.viewOfA()
    let monitor = try Reporter(["--no-lookback"], in: lab.a)
    let first = try await monitor.report("a first report")
    #expect(first.interval ?? 0 > 0)
    #expect(first.balance.total.view == HostView())
    client.go()
    _ = try await client.counts(2)
    let after = try await lab.viewOfA()
    let moved = HostView(received: after.received - before.received, sent: after.sent - before.sent)
    let report = try await monitor.report("\(moved) since the start") { $0.usage(pid: client.pid) == moved }
    #expect(report.balance.total.view == moved)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  /// No interface counts it.
  @Test func `what the host itself drops on its way out is in the last report`() async throws {
    let lab = try await Topology()
    // Its configuration would go over the wire.
    for host in [lab.a, lab.b] { try await host.setSysctl("net.ipv6.conf.all.disable_ipv6", to: "1") }
    try await lab.a.trackConnections()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let sender = try Traffic(
      "udp-scatter 10.77.1.2 9 --count 1 --after 1 --size 1000 --gate --hold", in: lab.a)
    _ = try await sender.counted()
    try await monitor.report("the first datagram") { $0.usage(pid: sender.pid).sent == 1028 }
    // Behind netfilter's table, and before the wire.
    let rule = "type filter hook egress device eth0 priority 0; policy drop;"
    try await lab.a.run(["nft", "table netdev dropping { chain out { \(rule) }; }"])
    for _ in 0..<5 { try await monitor.nextReport() }
    sender.go()
    _ = try await sender.counts(2)
    let truth = try await lab.viewOfA()
    #expect(truth.sent == 2 * 1028)
    try await monitor.stop()
    #expect(try monitor.reports().last?.usage(pid: sender.pid) == truth)
    try await sender.finish()
  }

  @Test func `the lookback never appears as a rate`() async throws {
    let (lab, server, port) = try await start()
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 8000000 --hold", in: lab.a)
    _ = try await client.counted()
    _ = try await lab.viewOfA()
    let monitor = try Reporter(in: lab.a)
    try await monitor.nextReport()
    try await monitor.nextReport()
    let rows = try monitor.reports().flatMap(\.rows)
    #expect(rows.contains { $0.pid == client.pid })
    #expect(rows.allSatisfy { $0.sentRate == 0 && $0.receivedRate == 0 })
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `traffic follows the process that holds the socket`() async throws {
    let (lab, server, port) = try await start()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic(
      "tcp-fork 10.77.1.2 \(port) --send 1000000 --after 3000000 --gate --hold", in: lab.a)
    let child = try await client.child()
    let before = try await monitor.report("the child as the holder") {
      $0.row(pid: child) != nil || $0.row(pid: client.pid) != nil
    }
    client.go()
    let counts = try await client.counts(2)
    let (truth, flows) = try await lab.flowsOfA()
    flows.expect(counts)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    #expect(report.usage(pid: child).sent >= 3_000_000)
    #expect(report.usage(ofEndedAnd: [child, client.pid]) == truth)
    #expect(truth.sent - report.usage(pid: child).sent < 1_020_000)
    #expect(before.balance.sum == before.balance.total.view)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `totals never fall, also when the table is emptied under us`() async throws {
    let (lab, server, port) = try await start()
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(port) --send 4000000 --after 2000000 --gate --hold --exec \(Program.traffic)",
      in: lab.a)
    _ = try await client.counted()
    let before = try await lab.viewOfA()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("\(before)") { $0.usage(pid: client.pid) == before }
    try await lab.a.forgetConnections()
    try await monitor.nextReport()
    client.go()
    _ = try await client.counts(2)
    let second = try await lab.viewOfA()
    let both = HostView(received: before.received + second.received, sent: before.sent + second.sent)
    #expect(second.sent >= 2_000_000)
    try await monitor.report("\(both)") { $0.usage(pid: client.pid) == both }
    let totals = try monitor.reports().map { $0.usage(pid: client.pid).sent }
    #expect(zip(totals, totals.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(try monitor.reports().allSatisfy { $0.balance.sum == $0.balance.total.view })
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `a process that ended keeps its bytes and is marked`() async throws {
    let (lab, server, port) = try await start()
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 2000000 --hold", in: lab.a)
    _ = try await client.counted()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("its bytes") { $0.usage(pid: client.pid).sent >= 2_000_000 }
    try await client.finish()
    let report = try await monitor.report("its end") { $0.row(pid: client.pid)?.exited == true }
    #expect(report.usage(pid: client.pid).sent >= 2_000_000)
    try await monitor.stop()
    try await server.finish()
  }

  @Test func `the program does not report itself`() async throws {
    // Nobody else was ever in this one.
    let lab = try await Topology()
    // Its configuration would go over the wire.
    for host in [lab.a, lab.b] { try await host.setSysctl("net.ipv6.conf.all.disable_ipv6", to: "1") }
    try await lab.a.trackConnections()
    let monitor = try Reporter(in: lab.a)
    for _ in 0..<3 { try await monitor.nextReport() }
    // It asks the kernel alone, and no server of names.
    #expect(try await lab.a.connections().isEmpty)
    #expect(try monitor.reports().allSatisfy { $0.rows.isEmpty && $0.balance.total.view == HostView() })
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic(
      "tcp 10.77.1.2 \(try await server.ready()) --send 1000000 --hold", in: lab.a)
    _ = try await client.counted()
    try await monitor.report("the client") { $0.row(pid: client.pid) != nil }
    #expect(try monitor.reports().flatMap(\.rows).allSatisfy { $0.pid != monitor.process.pid })
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `the balance is the connection table's and within 2 % of the interfaces'`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let before = try await (lab.a.interfaceBytes("eth0"), lab.a.interfaceBytes("lo"))
    let kinds = [
      TrafficKind(.client, "tcp-serve --send 6000000", "tcp HOST PORT --send 9000000 --receive 6000000"),
      TrafficKind(.server, "tcp-serve --bind ::", "tcp HOST PORT --send 5000000"),
      TrafficKind(.both, "tcp-serve", "tcp HOST PORT --send 7000000"),
      TrafficKind(.client, "udp-serve", "udp HOST PORT --count 2000 --size 1400 --echo"),
      TrafficKind(.client, "tcp-serve", "ping HOST --count 50 --size 1408"),
    ]
    var running = [TrafficKind.Running]()
    for kind in kinds { running.append(try await kind.run(in: lab)) }
    let truth = try await lab.viewOfA()
    let monitor = try Reporter(in: lab.a)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    let after = try await (lab.a.interfaceBytes("eth0"), lab.a.interfaceBytes("lo"))
    let received = after.0.received - before.0.received + after.1.received - before.1.received
    let sent = after.0.sent - before.0.sent + after.1.sent - before.1.sent
    #expect(report.balance.sum == truth)
    #expect(abs(Double(truth.received) / Double(received) - 1) < 0.02)
    #expect(abs(Double(truth.sent) / Double(sent) - 1) < 0.02)
    let rows = report.rows.reduce(HostView()) {
      HostView(received: $0.received + $1.received, sent: $0.sent + $1.sent)
    }
    #expect(rows == truth)
    try await monitor.stop()
    for traffic in running { try await traffic.finish() }
  }
}
