import Lab
import Testing

/// A25, A26, A28: B is the host, C a container behind it, A another network that B talks to.
@Suite(
  .needs(.namespaces), .serialized, .laboratory(withC: true), .eachWitness, .sayingTheWitness,
  .timeLimit(.minutes(20)))
struct NamespaceTests {
  struct Kind: Sendable, CustomTestStringConvertible {
    let header: PacketHeader
    let server: String
    let client: String
    var testDescription: String { client }
  }

  static let kinds = [
    Kind(
      header: .tcpV4, server: "tcp-serve --send 2000000",
      client: "tcp HOST PORT --send 4000000 --receive 2000000"),
    // The server's socket is bound to no address: found by those of its namespace.
    Kind(header: .udpV4, server: "udp-serve", client: "udp HOST PORT --count 500"),
    Kind(header: .udpV4, server: "udp-serve", client: "udp HOST PORT --count 500 --connected"),
  ]

  /// B's only flow.
  private func flow(_ lab: Topology) async throws -> FlowSum {
    let entries = try await lab.quietConnections(of: lab.b)
    try #require(entries.count == 1)
    return FlowSum(entries)
  }

  /// What that has moved, from its client's view.
  private func truth(_ lab: Topology) async throws -> HostView { try await flow(lab).moved }

  /// Returns the flow, whose ends are these two.
  private func expectBoth(
    _ lab: Topology, _ monitor: Reporter, client: (Traffic, NetworkNamespace),
    server: (Traffic, NetworkNamespace)
  ) async throws -> FlowSum {
    let flow = try await flow(lab)
    let truth = flow.moved
    let report = try await monitor.report("\(truth)") { $0.usage(pid: client.0.pid) == truth }
    let row = try #require(report.row(pid: client.0.pid))
    #expect(row.netns == client.1.inode)
    let other = try #require(report.row(pid: server.0.pid))
    #expect(other.usage == HostView(received: truth.sent, sent: truth.received))
    #expect(other.netns == server.1.inode)
    #expect(report.balance.forwarded.view == HostView())
    #expect(report.balance.attributed.view == report.balance.total.view)
    #expect(report.health["namespaces"].map { $0 >= 2 } == true)
    // Whoever its owners are, all of it came in by one interface and left by another.
    let balance = try await monitor.nextReport().balance
    #expect(balance.interfaces.received >= truth.received + truth.sent)
    #expect(balance.interfaces.sent >= truth.received + truth.sent)
    // What a busy machine lets it read a second late was untracked until then.
    let isLate = try monitor.reports().contains { $0.interval ?? 0 > 0.5 }
    #expect(try #require(balance.coverage) > 95 || isLate)
    return flow
  }

  @Test(arguments: kinds) func `a client behind masquerade is named, its bytes are right`(kind: Kind)
    async throws
  {
    let lab = try Laboratory.topology
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    try await lab.b.masquerade(out: "eth0")
    try await lab.forgetConnections(of: lab.b)
    let server = try Traffic(kind.server, in: lab.a)
    let port = try await server.ready()
    let resident = try await c.resident()
    let monitor = try Reporter(in: lab.b, namespaces: true)
    try await monitor.report("a first report")
    let line = kind.client.replacing("HOST", with: "10.77.1.1").replacing("PORT", with: "\(port)")
    let client = try Traffic(line + " --hold", in: c)
    let count = try await client.counted()
    let flow = try await expectBoth(lab, monitor, client: (client, c), server: (server, lab.a))
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
    try await resident.stop()
    flow.expect([count], kind.header, server: try await server.counted())
  }

  @Test(arguments: kinds) func `the server behind a published port is its owner`(kind: Kind) async throws {
    let lab = try Laboratory.topology
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    let server = try Traffic(kind.server, in: c)
    let port = try await server.ready()
    try await lab.b.nft(
      """
      table ip lab_nat
      delete table ip lab_nat
      table ip lab_nat {
        chain in { type nat hook prerouting priority dstnat; meta l4proto { tcp, udp } th dport 8080 dnat to 10.77.2.2:\(port); }
      }
      """)
    try await lab.forgetConnections(of: lab.b)
    let resident = try await lab.a.resident()
    let monitor = try Reporter(in: lab.b, namespaces: true)
    try await monitor.report("a first report")
    let line = kind.client.replacing("HOST", with: "10.77.1.2").replacing("PORT", with: "8080")
    let client = try Traffic(line + " --hold", in: lab.a)
    let count = try await client.counted()
    let flow = try await expectBoth(lab, monitor, client: (client, lab.a), server: (server, c))
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
    try await resident.stop()
    flow.expect([count], kind.header, server: try await server.counted())
  }

  @Test func `a proxy between a published port and the container counts once on each side`() async throws {
    let lab = try Laboratory.topology
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    try await lab.b.nft("table ip lab_nat\ndelete table ip lab_nat")
    let server = try Traffic("tcp-serve --send 1000000 --port 9000", in: c)
    _ = try await server.ready()
    // What docker-proxy is to a container: a process of the host that connects to it.
    let proxy = try await Reporter.pipe(host: "10.77.2.2", in: lab.b)
    try await lab.forgetConnections(of: lab.b)
    let resident = try await lab.a.resident()
    let monitor = try Reporter(in: lab.b, namespaces: true)
    try await monitor.report("a first report")
    let client = try Traffic("tcp 10.77.1.2 8080 --send 3000000 --receive 1000000 --hold", in: lab.a)
    let count = try await client.counted()
    let entries = try await lab.quietConnections(of: lab.b)
    let flows = try [8080, 9000].map { try flow(entries, port: $0) }
    for flow in flows {
      // More by what the proxy's TCP sent again, which only that knows.
      #expect(flow.moved.sent >= count.sent + PacketHeader.tcpV4.bytes * flow.packets.sent)
      #expect(flow.moved.received >= count.received + PacketHeader.tcpV4.bytes * flow.packets.received)
    }
    let (outside, inside) = (flows[0].moved, flows[1].moved)
    let through = HostView(
      received: outside.sent + inside.received, sent: outside.received + inside.sent)
    let report = try await monitor.report("\(outside), \(through), \(inside)") {
      $0.usage(pid: client.pid) == outside && $0.usage(pid: proxy.process.pid) == through
        && $0.usage(pid: server.pid) == inside.reversed
    }
    #expect(report.row(pid: proxy.process.pid)?.netns == nil)
    #expect(report.row(pid: server.pid)?.netns == c.inode)
    #expect(report.rows.count == 3)
    #expect(report.balance.attributed.view == report.balance.total.view)
    try await monitor.stop()
    try await client.finish()
    try await proxy.stop()
    try await server.finish()
    try await resident.stop()
  }

  /// The only flow to a port.
  private func flow(_ entries: [ConntrackEntry], port: Int) throws -> FlowSum {
    let flows = entries.filter { $0.original.destinationPort == port }
    try #require(flows.count == 1)
    return FlowSum(flows)
  }

  @Test func `the last bytes of a container that is gone are still its process's`() async throws {
    let lab = try Laboratory.topology
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    try await lab.b.masquerade(out: "eth0")
    try await lab.forgetConnections(of: lab.b)
    let server = try Traffic("tcp-serve", in: lab.a)
    let port = try await server.ready()
    let resident = try await c.resident()
    let monitor = try Reporter(in: lab.b, namespaces: true)
    try await monitor.report("a first report")
    let client = try Traffic("tcp 10.77.1.1 \(port) --send 1000000 --hold", in: c)
    _ = try await client.counted()
    try await monitor.report("the client") { $0.row(pid: client.pid) != nil }
    try await resident.stop()
    // Closing moves a few packets more; then no process is left in C.
    try await client.finish()
    let truth = try await truth(lab)
    let report = try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    #expect(report.row(pid: client.pid)?.netns == c.inode)
    #expect(report.balance.forwarded.view == HostView())
    try await monitor.stop()
    try await server.finish()
  }

  @Test func `a container's process that ends between two reports is named`() async throws {
    let lab = try await Topology(withC: true)
    let c = try #require(lab.c)
    // An address that no other test's container has, but for one that is on no wire.
    try await c.ip("addr flush dev eth0")
    try await c.ip("addr add 10.77.9.2/24 dev eth0")
    try await lab.b.ip("addr add 10.77.9.1/24 dev eth1")
    try await c.ip("route add default via 10.77.9.1")
    let twin = try await NetworkNamespace()
    try await twin.ip("addr add 10.77.9.2/32 dev lo")
    try await lab.b.trackConnections()
    try await lab.b.masquerade(out: "eth0")
    let server = try Traffic("tcp-serve", in: lab.a)
    let port = try await server.ready()
    // A container is there as long as one process of it is.
    let residents = try await [c.resident(), twin.resident()]
    // No report but the first and the last.
    let monitor = try Reporter(interval: "3600", in: lab.b, namespaces: true)
    try await monitor.report("a first report")
    // Long enough for a busy machine to look.
    let client = try Traffic("tcp 10.77.1.1 \(port) --send 1000000 --linger 3000", in: c)
    _ = try await client.counted()
    try await client.finish()
    let truth = try await truth(lab)
    try await monitor.stop()
    let reports = try monitor.reports()
    let report = try #require(reports.last)
    #expect(reports.count == 2 && report.usage(pid: client.pid) == truth)
    #expect(report.row(pid: client.pid)?.netns == c.inode)
    #expect(report.balance.forwarded.view == HostView())
    for resident in residents { try await resident.stop() }
    try await server.finish()
  }

  /// A virtual machine's network is in no namespace; that of a process in another pid namespace may be in sight.
  @Test(arguments: [true, false])
  func `what no process that can be seen moves is forwarded, or nobody's where its socket is seen`(
    isHidden: Bool
  ) async throws {
    let lab = try Laboratory.topology
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    try await lab.forgetConnections(of: lab.b)
    let server = try Traffic("tcp-serve", in: lab.a)
    let port = try await server.ready()
    let client = try Traffic("tcp 10.77.1.1 \(port) --send 1000000 --hold", in: c)
    _ = try await client.counted()
    let truth = HostView(try await lab.quietConnections(of: lab.b), addresses: Topology.addressesOfB)
    // In a pid namespace of its own it sees no process but itself.
    let output = try await lab.b.run(
      ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c"]
        + [
          (isHidden ? "mount -t tmpfs none /run/netns && " : "")
            + "exec \(Program.path("runmonitor")) --namespaces --format json --count 1"
        ])
    let report = try #require(
      try output.split(separator: "\n").compactMap { try Report(line: String($0)) }.last)
    let nobody = report.balance.unattributed
    #expect(report.balance.forwarded.view == (isHidden ? truth : HostView()) && truth.sent > 1_000_000)
    #expect(nobody.reasons["no_holder", default: 0] == (isHidden ? 0 : truth.sent + truth.received))
    #expect(report.rows.allSatisfy { $0.pid == nil })
    try await client.finish()
    try await server.finish()
  }

  @Test func `without the right to enter it a namespace is read through its processes`() async throws {
    let lab = try Laboratory.topology
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    try await lab.b.masquerade(out: "eth0")
    try await lab.forgetConnections(of: lab.b)
    let server = try Traffic("udp-serve", in: lab.a)
    let port = try await server.ready()
    let copy = try await CopyForEveryone(of: "runmonitor")
    // Not one that could not be read: of a namespace without a process nothing is known then.
    let empty = try await NetworkNamespace()
    let client = try Traffic("udp 10.77.1.1 \(port) --count 300 --hold", in: c)
    _ = try await client.counted()
    let truth = try await truth(lab)
    let capabilities = "+net_admin,+dac_read_search,+sys_ptrace"
    let output = try await lab.b.run(
      [
        "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=\(capabilities)",
        "--ambient-caps=\(capabilities)", copy.path, "--format", "json", "--count", "1", "--namespaces",
      ])
    let report = try #require(
      try output.split(separator: "\n").compactMap { try Report(line: String($0)) }.last)
    #expect(report.usage(pid: client.pid) == truth)
    #expect(report.row(pid: client.pid)?.netns == c.inode)
    #expect(report.usage(pid: server.pid) == HostView(received: truth.sent, sent: truth.received))
    #expect(report.health["unread_namespaces"] == 0 && empty.inode != 0)
    try await client.finish()
    try await server.finish()
  }
}
