import Lab
import Testing

/// A8-A12: where bytes may be counted twice, or be two's; the truth is what conntrack(8) prints.
@Suite(
  .needs(.namespaces), .serialized, .laboratory(), .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct MonitorAccountingTests {
  @Test(arguments: [
    TrafficKind(.both, "tcp-serve", "tcp HOST PORT --send 24000000"),
    TrafficKind(.both, "tcp-serve --bind ::", "tcp HOST PORT --send 8000000"),
    TrafficKind(.both, "tcp-serve", "tcp 10.77.1.1 PORT --send 8000000"),
    TrafficKind(.both, "udp-serve", "udp HOST PORT --size 1200 --count 2000 --echo"),
  ])
  func `a loopback byte is sent once and received once`(kind: TrafficKind) async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    let without = try Reporter(["--ignore-local"], in: lab.a)
    try await monitor.report("a first report")
    try await without.report("a first report")
    let traffic = try await kind.run(in: lab)
    let entries = try await lab.quietConnections()
    let client = HostView(
      received: entries.reduce(0) { $0 + ($1.reply.bytes ?? 0) },
      sent: entries.reduce(0) { $0 + ($1.original.bytes ?? 0) })
    let server = HostView(received: client.sent, sent: client.received)
    let report = try await monitor.report("\(client) for the client, the same reversed for the server") {
      $0.usage(pid: traffic.client.pid) == client && $0.usage(pid: traffic.server.pid) == server
    }
    #expect(client.sent >= traffic.count.sent)
    #expect(report.balance.total.view == HostView(entries, addresses: Topology.addressesOfA))
    let ignoring = try await without.nextReport()
    #expect(ignoring.usage(pid: traffic.client.pid) == HostView())
    #expect(ignoring.usage(pid: traffic.server.pid) == HostView())
    try await monitor.stop()
    try await without.stop()
    try await traffic.finish()
  }

  @Test func `two raw owners are nobody where sockets are looked up`() async throws {
    try await withTwoRawOwners(witness: "lookup") { (report, pinger, other, truth) in
      #expect(report.balance.total.view == truth)
      #expect(report.usage(pid: pinger) == HostView() && report.usage(pid: other) == HostView())
      #expect(report.balance.unattributed.view == truth)
      #expect(report.balance.unattributed.reasons["ambiguous"] == truth.sent + truth.received)
    }
  }

  @Test(.needs(.packets), arguments: ["bpf", "bpf-5.8"])
  func `of two raw owners it is the one who sent`(witness: String) async throws {
    try await withTwoRawOwners(witness: witness) { (report, pinger, other, truth) in
      #expect(report.usage(pid: pinger).sent == truth.sent && report.usage(pid: other).sent == 0)
      #expect(report.row(pid: pinger)?.match == "exact")
    }
  }

  /// Has one of two processes with raw sockets ping, and gives `check` the report of all of it, both pids and the truth.
  private func withTwoRawOwners(
    witness: String, _ check: (Report, _ pinger: Int32, _ other: Int32, _ truth: HostView) -> Void
  ) async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(["--witness", witness], in: lab.a)
    try await monitor.report("a first report")
    let other = try Traffic("ping 10.77.1.2 --raw --gate --size 64 --count 1", in: lab.a)
    try await other.connected()
    let pinger = try Traffic("ping 10.77.1.2 --raw --count 50 --size 1008 --hold", in: lab.a)
    _ = try await pinger.counted()
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth)") { $0.balance.total.view == truth }
    check(report, pinger.pid, other.pid, truth)
    try await monitor.stop()
    other.go()
    try await other.finish()
    try await pinger.finish()
  }

  @Test func `a rate is what moved in its interval`() async throws {
    let lab = try await Self.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(interval: "0.25", in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic("tcp 10.77.1.2 \(port) --send 262144 --rate 131072 --hold", in: lab.a)
    _ = try await client.counted()
    let truth = try await lab.viewOfA()
    try await monitor.report("all of it") { $0.usage(pid: client.pid) == truth }
    try await monitor.nextReport()
    let reports = try monitor.reports()
    for (before, after) in zip(reports, reports.dropFirst()) {
      let moved = Double(after.usage(pid: client.pid).sent - before.usage(pid: client.pid).sent)
      let rate = after.row(pid: client.pid)?.sentRate ?? 0
      let interval = try #require(after.interval)
      // The interval is rounded to a thousandth of a second.
      #expect(abs(rate * interval - moved) <= rate / 1000 + 1, "\(after)")
    }
    // A busy machine may let it report but once in these two seconds.
    #expect(reports.contains { $0.row(pid: client.pid)?.sentRate ?? 0 > 0 })
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `small connections one after another are all its process's`() async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let client = try Traffic(
      "tcp 10.77.1.2 \(port) --send 20000 --connections 30 --step --hold", in: lab.a)
    for number in 1...30 {
      try await monitor.report("connection \(number)") {
        $0.usage(pid: client.pid).sent >= 20_000 * UInt64(number)
      }
      client.go()
    }
    try await client.finish()
    let truth = HostView(try await lab.a.closedConnections(), addresses: Topology.addressesOfA)
    let report = try await monitor.report("\(truth)") { $0.usage(ofEndedAnd: [client.pid]) == truth }
    #expect(report.balance.total.view == truth)
    #expect(try await client.counted().connections == 30)
    try await monitor.stop()
    try await server.finish()
  }

  @Test func `sixty small connections that close at once lose no byte`() async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let kind = TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 20000 --connections 60")
    let traffic = try await kind.run(in: lab)
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    #expect(traffic.count.connections == 60)
    #expect(report.balance.sum == truth)
    #expect(report.rows.allSatisfy { $0.pid == nil || $0.pid == traffic.client.pid })
    try await monitor.stop()
    try await traffic.finish()
  }

  @Test func `accounting that is turned off is said each time`() async throws {
    let lab = try await NetworkNamespace()
    try await lab.trackConnections()
    let monitor = try Reporter(in: lab)
    try await monitor.report("a first report")
    func codes() -> [String] {
      monitor.process.output.lines.compactMap {
        $0.firstMatch(of: #/"event":"warning".*"code":"([a-z_]+)"/#).map { String($0.output.1) }
      }.filter { ["accounting_off", "uncounted"].contains($0) }
    }
    for round in 1...2 {
      try await lab.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
      try await lab.run("ping -q -c 1 127.0.0.1")
      try await eventually("warning \(round)", state: { monitor.state }) {
        codes().count { $0 == "accounting_off" } == round ? () : nil
      }
      // Not that the connection is older than accounting.
      #expect(codes().first == "accounting_off")
      try await lab.setSysctl("net.netfilter.nf_conntrack_acct", to: "1")
      try await monitor.nextReport()
      #expect(codes().count { $0 == "accounting_off" } == round)
    }
    try await monitor.stop()
    #expect(monitor.process.errors.lines.count { $0.contains("accounting was turned off while") } == 2)
  }

  @Test func `counters that another program zeroes lose nothing, and it is said once`() async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(try await server.ready()) --send 400000 --after 300000 --gate --hold --exec "
        + Program.traffic, in: lab.a)
    var total = HostView()
    for round in 1...2 {
      _ = try await client.counts(round)
      let counted = try await lab.viewOfA()
      total = HostView(received: total.received + counted.received, sent: total.sent + counted.sent)
      // What moves between the last look and the reset is nobody's: here nothing does.
      try await monitor.report("round \(round)") { $0.usage(pid: client.pid) == total }
      try await lab.a.run("conntrack -L -z")
      let report = try await monitor.report("reset \(round)") {
        $0.health["counter_resets"] == Double(round)
      }
      #expect(report.usage(pid: client.pid) == total)
      if round == 1 { client.go() }
    }
    #expect(total.sent >= 700_000)
    try await client.finish()
    try await monitor.stop()
    #expect(monitor.process.output.lines.count { $0.contains(#""code":"counters_reset""#) } == 1)
    try await server.finish()
  }

  @Test(arguments: ["runmonitor", "runaggregator"])
  func `the last report asks also for what is else believed for a while`(program: String) async throws {
    let lab = try await NetworkNamespace()
    try await lab.trackConnections()
    let monitor = try Reporter(program: program, in: lab)
    try await monitor.report("a first report")
    try await lab.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    try await monitor.stop()
    #expect(monitor.process.output.lines.count { $0.contains(#""code":"accounting_off""#) } == 1)
    #expect(try monitor.reports().last?.health["lost_entries"] == 0)
  }

  /// A with an empty, counting connection table.
  static func readyTopology() async throws -> Topology {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    try await lab.forgetConnections(of: lab.a)
    return lab
  }
}
