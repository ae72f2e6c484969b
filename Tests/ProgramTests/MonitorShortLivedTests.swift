import Lab
import Testing

/// A14, A16: processes and sockets that are gone before a report looks for them.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorShortLivedTests {
  @Test func `a process that ends at once has its bytes and its name, and is marked`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let line = "tcp 10.77.1.2 \(try await server.ready()) --send 10000000 --linger 60"
    let monitor = try Reporter(interval: "2", in: lab.a, wrapper: ["nice", "-n", "-20"])
    try await monitor.report("a first report")
    // On a busy machine one may live longer, or a report may come in between: it is the last that is judged.
    var pids: [Int32] = []
    var isBrief = false
    var truth = HostView()
    while !isBrief, pids.count < 20 {
      let reports = try monitor.reports().count
      let client = try Traffic(line, in: lab.a)
      pids.append(client.pid)
      let port = try await client.connected()
      let count = try await client.counted()
      try await client.finish()
      let flow = FlowSum(try await lab.a.closedConnections().filter { $0.original.sourcePort == port })
      flow.expect([count])
      truth = flow.moved
      isBrief = try count.seconds < 0.2 && monitor.reports().count == reports
    }
    try #require(isBrief)
    let pid = pids[pids.count - 1]
    let report = try await monitor.report("\(truth)") { $0.usage(pid: pid) == truth }
    #expect(report.row(pid: pid)?.name.contains(line) == true)
    #expect(report.balance.attributed.view == (try await lab.viewOfA()))
    #expect(report.rows.compactMap(\.pid).allSatisfy(pids.contains))
    try await monitor.report("the mark") { $0.row(pid: pid)?.exited == true }
    let rows = try monitor.reports().map { $0.row(pid: pid) }
    let first = try #require(rows.firstIndex { $0?.usage == truth })
    #expect(rows[first...].prefix(2).contains { $0?.exited == true && $0?.usage == truth })
    try await monitor.stop()
    try await server.finish()
  }

  /// Each lives for half a second, so that a busy machine too has time to look while it lives.
  @Test(arguments: [
    ("ping 10.77.1.2 --count 4 --size 1000 --rate 8000", "exact"),
    ("ping fd77::2 --count 4 --size 1000 --rate 8000", "exact"),
    ("ping 10.77.1.2 --count 3000 --size 16", "exact"),
    ("ping 10.77.1.2 --raw --count 4 --size 1000 --rate 8000", "relaxed"),
    ("ping fd77::2 --raw --count 4 --size 1000 --rate 8000", "relaxed"),
    ("raw 10.77.1.2 --protocol 253 --count 4 --size 1000 --rate 8000", "relaxed"),
  ])
  func `who pings or sends raw packets and ends at once has its bytes`(line: String, match: String)
    async throws
  {
    let lab = try await MonitorAccountingTests.readyTopology()
    // Longer than any of them lives.
    let monitor = try Reporter(interval: "3", in: lab.a)
    try await monitor.report("a first report")
    var pids: [Int32] = []
    for _ in 0..<4 {
      let sender = try Traffic(line, in: lab.a)
      _ = try await sender.counted()
      try await sender.finish()
      pids.append(sender.pid)
    }
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth)") { $0.balance.total.view == truth }
    // A machine that does nothing for half a second may be late for one of them.
    #expect(report.balance.attributed.view.sent >= truth.sent / 2)
    #expect(report.balance.sum == truth && report.rows.compactMap(\.pid).allSatisfy(pids.contains))
    #expect(report.rows.allSatisfy { $0.match == ($0.kind == "remainder" ? nil : match) })
    try await monitor.stop()
  }

  @Test func `sockets that close at once are named rightly or not at all`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    var traffic: [(client: Traffic, server: Traffic, port: Int)] = []
    for _ in 0..<4 {
      let server = try Traffic("tcp-serve", in: lab.b)
      let port = try await server.ready()
      let client = try Traffic(
        "tcp 10.77.1.2 \(port) --send 1000 --connections 50 --hold --gate", in: lab.a)
      traffic.append((client, server, port))
    }
    // All at once, so that each may be taken for another.
    for (client, _, _) in traffic { client.go() }
    for (client, _, _) in traffic { _ = try await client.counted() }
    let entries = try await lab.a.quietConnections()
    let truth = HostView(entries, addresses: Topology.addressesOfA)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    for (client, _, port) in traffic {
      let own = HostView(
        entries.filter { $0.original.destinationPort == port }, addresses: Topology.addressesOfA)
      let named = report.usage(pid: client.pid)
      #expect(named.sent <= own.sent && named.received <= own.received, "\(own)")
      #expect(named.sent > 0)
    }
    #expect(Set(report.rows.compactMap(\.pid)) == Set(traffic.map(\.client.pid)))
    let unnamed = report.balance.unattributed
    #expect(unnamed.closedUnseen == unnamed.sent + unnamed.received, "\(unnamed.reasons)")
    #expect(report.balance.sum == truth)
    try await monitor.stop()
    for (client, server, _) in traffic {
      try await client.finish()
      try await server.finish()
    }
  }
}
