import Lab
import Testing

/// A41: a busy table is counted right; how fast is for the benchmarks to say.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorScaleTests {
  @Test func `a hundred thousand flows are one process's, to the byte`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let room = try #require(Int(try await lab.a.sysctl("net.netfilter.nf_conntrack_max")))
    let count = min(100_000, room / 10 * 9)
    let moving = count / 10
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_udp_timeout", to: "3600")
    // To an address that nobody has: what is sent there leaves by the wire and is lost.
    try await lab.a.ip("neigh replace 10.77.1.200 lladdr 02:00:00:00:00:09 nud permanent dev eth0")
    try await lab.a.ip("route add 10.88.0.0/14 via 10.77.1.200")
    let monitor = try Reporter(interval: "2", in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic(
      "udp-scatter 10.88.0.1 9 --count \(count) --size 8 --after \(moving) --gate --hold", in: lab.a)
    for (round, datagrams) in [count, count + moving].enumerated() {
      _ = try await client.counts(round + 1)
      // With its headers: 20 of IPv4 and 8 of UDP.
      let truth = HostView(sent: UInt64(datagrams) * 36)
      let report = try await monitor.report("\(truth)", within: .seconds(300)) {
        $0.usage(pid: client.pid) == truth
      }
      #expect(report.health["flows"] == Double(count))
      #expect(report.balance.total.view == truth)
      #expect(report.rows.count == 1)
      client.go()
    }
    try await monitor.stop()
    try await client.finish()
  }

  @Test(.needs(.packets, .calls), arguments: ["bpf-5.8", "bpf"])
  func `of a hundred thousand sockets each is its process's, for two monitors at once`(
    witness: String
  ) async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    let room = try #require(Int(try await lab.a.sysctl("net.netfilter.nf_conntrack_max")))
    // A process may open 20,000 here.
    let count = min(17_000, room / 10)
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_udp_timeout", to: "3600")
    try await lab.a.ip("neigh replace 10.77.1.200 lladdr 02:00:00:00:00:09 nud permanent dev eth0")
    try await lab.a.ip("route add 10.88.0.0/13 via 10.77.1.200")
    for client in 0..<6 { try await lab.a.ip("addr add 10.77.1.10\(client)/24 dev eth0") }
    let monitors = try (0..<2).map { _ in try Reporter(["--witness", witness], interval: "2", in: lab.a) }
    for monitor in monitors { try await monitor.report("a first report") }
    let clients = try (0..<6).map {
      try Traffic(
        "udp-scatter 10.\(88 + $0).0.1 9 --count \(count) --size \(8 + $0) --after 1000 --gate --hold --connected"
          + " --bind 10.77.1.10\($0)",
        in: lab.a)
    }
    for (round, datagrams) in [count, count + 1000].enumerated() {
      for client in clients { _ = try await client.counts(round + 1) }
      let all = HostView(sent: clients.indices.reduce(0) { $0 + UInt64(datagrams * (36 + $1)) })
      for monitor in monitors {
        let report = try await monitor.report("\(all)", within: .seconds(300)) {
          $0.balance.total.view == all
        }
        for (place, client) in clients.enumerated() {
          #expect(report.usage(pid: client.pid) == HostView(sent: UInt64(datagrams * (36 + place))))
        }
        #expect(report.rows.count == clients.count && report.balance.unattributed.view == HostView())
      }
      for client in clients { client.go() }
    }
    for monitor in monitors { try await monitor.stop() }
    for client in clients { try await client.finish() }
  }
}
