import Lab
import Synchronization
import Testing

/// A14, A16: processes and sockets that are gone before a report looks for them.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorShortLivedTests {
  @Test(.eachWitness, .sayingTheWitness)
  func `a process that lives between two reports has its bytes and its name, and is marked`()
    async throws
  {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    // How brief it may be is MonitorBriefProcessTests': a busy machine may need a second or two to look.
    let isLookedUp = EachWitness.way == "lookup"
    let line = "tcp 10.77.1.2 \(try await server.ready()) --send 10000000 --linger \(isLookedUp ? 3000 : 0)"
    let monitor = try Reporter(interval: isLookedUp ? "5" : "1", in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic(line, in: lab.a)
    let count = try await client.counted()
    try await client.finish()
    let flow = FlowSum(try await lab.a.closedConnections())
    flow.expect([count])
    let report = try await monitor.report("\(flow.moved)") {
      $0.usage(ofEndedAnd: [client.pid]) == flow.moved
    }
    #expect(report.balance.attributed.view == flow.moved && report.rows.count == 1)
    try await monitor.report("a row without a pid") { $0.ended(line)?.usage == flow.moved }
    try await monitor.stop()
    let rows = try monitor.reports().compactMap { $0.row(pid: client.pid) }
    #expect(rows.allSatisfy { $0.name.contains(line) && $0.match == "exact" })
    #expect(rows.count { $0.exited == true } == 1)
    try await server.finish()
  }

  /// How many addresses were added so far.
  private static let addresses = Atomic<Int>(0)

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
    try await ping(line, match: match, witness: "lookup")
  }

  @Test(
    .needs(.packets),
    arguments: [
      "ping 10.77.1.2 --count 4 --size 1000 --rate 8000", "ping fd77::2 --count 4 --size 1000 --rate 8000",
      "ping 10.77.1.2 --raw --count 4 --size 1000", "ping fd77::2 --raw --count 4 --size 1000",
      "raw 10.77.1.2 --protocol 253 --count 4 --size 1000",
    ], ["bpf", "bpf-5.8"])
  func `who pings or sends raw packets and ends at once is seen`(line: String, witness: String) async throws {
    try await ping(line, match: "exact", witness: witness)
  }

  private func ping(_ line: String, match: String, witness: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    // Longer than any of them lives.
    let monitor = try Reporter(["--witness", witness], interval: "3", in: lab.a)
    try await monitor.report("a first report")
    var pids: [Int32] = []
    for _ in 0..<4 {
      let sender = try Traffic(line, in: lab.a)
      _ = try await sender.counted()
      try await sender.finish()
      pids.append(sender.pid)
      // Whether another host has this address the kernel asks from a raw socket of its own.
      // Other cases add theirs to the same host, and numbers of processes come again.
      let number = Self.addresses.wrappingAdd(1, ordering: .relaxed).newValue
      try await lab.a.ip("addr add fd77::aa:\(String(number, radix: 16))/64 dev eth0 preferred_lft 0")
    }
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth)") { $0.balance.total.view == truth }
    // A machine that does nothing for half a second may be late to look one of them up.
    #expect(
      report.balance.attributed.view.sent >= (witness == "lookup" ? truth.sent / 2 : truth.sent),
      "\(report.balance.unattributed.reasons)")
    #expect(report.balance.sum == truth && report.rows.compactMap(\.pid).allSatisfy(pids.contains))
    #expect(report.rows.allSatisfy { $0.match == ($0.kind == "remainder" ? nil : match) })
    try await monitor.stop()
  }

  @Test(.eachWitness, .sayingTheWitness)
  func `sockets that close at once are named, or where they are looked up not wrongly`() async throws {
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
    let entries = try await lab.quietConnections()
    let truth = HostView(entries, addresses: Topology.addressesOfA)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    for (client, _, port) in traffic {
      let own = HostView(
        entries.filter { $0.original.destinationPort == port }, addresses: Topology.addressesOfA)
      let named = report.usage(pid: client.pid)
      #expect(named.sent <= own.sent && named.received <= own.received && named.sent > 0, "\(own)")
      #expect(EachWitness.way == "lookup" || named == own)
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
