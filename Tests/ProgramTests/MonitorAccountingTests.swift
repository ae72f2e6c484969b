import Lab
import Testing

/// A1-A12: who moved how much, for each kind of traffic; the truth is what conntrack(8) prints.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(4)))
struct MonitorAccountingTests {
  static let kinds = [
    TrafficKind(.client, "tcp-serve --send 32000000", "tcp HOST PORT --receive 32000000"),
    TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 32000000"),
    TrafficKind(
      .client, "tcp-serve --send 32000000", "tcp HOST PORT --receive 32000000 --send 32000000"),
    TrafficKind(.server, "tcp-serve", "tcp HOST PORT --send 8000000"),
    TrafficKind(.server, "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000"),
    TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 20000 --echo"),
    TrafficKind(.client, "udp-serve", "udp HOST PORT --size 1200 --count 2000 --echo --connected"),
    TrafficKind(.server, "udp-serve", "udp HOST PORT --size 1200 --count 2000 --echo"),
    TrafficKind(.client, "udp-serve", "udp HOST PORT --size 64 --count 65536"),
    TrafficKind(.client, "tcp-serve --bind ::", "tcp HOST PORT --send 8000000"),
    TrafficKind(.server, "tcp-serve --bind ::", "tcp HOST PORT --send 8000000"),
    TrafficKind(.client, "udp-serve --bind ::", "udp HOST PORT --size 1200 --count 2000 --echo"),
    TrafficKind(.client, "tcp-serve", "tcp ::ffff:HOST PORT --send 8000000"),
    TrafficKind(.server, "tcp-serve --bind ::", "tcp 10.77.1.1 PORT --send 8000000"),
    TrafficKind(.server, "udp-serve --bind ::", "udp 10.77.1.1 PORT --size 1200 --count 2000 --echo"),
    TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 8000000 --method sendfile"),
    TrafficKind(
      .client, "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000 --send 8000000 --method splice"),
    TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 8000000 --method mmsg"),
    TrafficKind(
      .client, "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000 --send 8000000 --method uring",
      needs: .uring),
    TrafficKind(
      .client, "udp-serve --method mmsg", "udp HOST PORT --size 1200 --count 2000 --echo --method mmsg"),
    TrafficKind(.client, "tcp-serve", "ping HOST --count 100 --size 1008"),
    TrafficKind(.client, "tcp-serve", "ping HOST --count 100 --size 1008 --raw"),
    TrafficKind(.client, "tcp-serve --bind ::", "ping HOST --count 100 --size 1008"),
    TrafficKind(.client, "tcp-serve --bind ::", "ping HOST --count 100 --size 1008 --raw"),
    TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 100000 --connections 30 --parallel"),
  ]

  @Test(arguments: kinds)
  func `each kind of traffic is its process's`(kind: TrafficKind) async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let traffic = try await kind.run(in: lab)
    let truth = HostView(try await lab.a.quietConnections(), addresses: Topology.addressesOfA)
    let pid = kind.place == .client ? traffic.client.pid : traffic.server.pid
    let report = try await monitor.report("\(truth) for process \(pid)") { $0.usage(pid: pid) == truth }
    #expect(report.balance.total.view == truth)
    #expect(report.balance.attributed.view == truth)
    #expect(
      report.rows.filter { $0.pid != pid && $0.name != "(untracked)" && $0.sent + $0.received > 0 }.isEmpty)
    let (sent, received) = (traffic.count.sent, traffic.count.received)
    let moved = kind.place == .client ? report.usage(pid: pid).sent : report.usage(pid: pid).received
    #expect(moved >= sent && sent + received > 0)
    try await monitor.stop()
    try await traffic.finish()
  }

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
    try await without.report("a first report")
    let traffic = try await kind.run(in: lab)
    let entries = try await lab.a.quietConnections()
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

  @Test func `two raw owners are nobody`() async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    let other = try Traffic("ping 10.77.1.2 --raw --gate --size 64 --count 1", in: lab.a)
    try await other.connected()
    let pinger = try Traffic("ping 10.77.1.2 --raw --count 50 --size 1008 --hold", in: lab.a)
    _ = try await pinger.counted()
    let truth = HostView(try await lab.a.quietConnections(), addresses: Topology.addressesOfA)
    let report = try await monitor.report("all of it") { $0.balance.total.view == truth }
    #expect(report.usage(pid: other.pid) == HostView())
    #expect(report.balance.unattributed.view == truth)
    #expect(report.balance.unattributed.reasons["ambiguous"] == truth.sent + truth.received)
    try await monitor.stop()
    other.go()
    try await other.finish()
    try await pinger.finish()
  }

  @Test func `a protocol without ports is counted, with an owner or a reason`() async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    let server = try Traffic("raw-serve --protocol 253", in: lab.b)
    _ = try await server.ready()
    let sender = try Traffic("raw 10.77.1.2 --protocol 253 --count 100 --size 1000 --hold", in: lab.a)
    let count = try await sender.counted()
    let truth = HostView(sent: count.sent + 20 * count.datagrams)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    let named = report.usage(pid: sender.pid)
    #expect(named == truth || report.balance.unattributed.view == truth)
    #expect(report.rows.allSatisfy { $0.pid == nil || $0.pid == sender.pid })
    try await monitor.stop()
    try await sender.finish()
    try await server.finish()
  }

  @Test func `a drip has a rate in every interval`() async throws {
    let lab = try await Self.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let client = try Traffic(
      "tcp 10.77.1.2 \(port) --send 655360 --rate 131072 --gate --hold", in: lab.a)
    try await client.connected()
    let monitor = try Reporter(interval: "0.5", in: lab.a)
    try await monitor.report("a first report")
    client.go()
    _ = try await client.counted()
    let truth = HostView(try await lab.a.quietConnections(), addresses: Topology.addressesOfA)
    try await monitor.report("all of it") { $0.usage(pid: client.pid) == truth }
    let rates = try monitor.reports().compactMap { $0.row(pid: client.pid)?.sentRate }
    let dripping = rates.drop { $0 < 60_000 }.prefix { $0 > 0 }
    // Five seconds of it; the last interval may be short of bytes.
    #expect(dripping.count >= 8, "\(rates)")
    let mean = dripping.dropLast().reduce(0, +) / Double(max(1, dripping.count - 1))
    #expect((110_000...160_000).contains(mean), "\(rates)")
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `small connections one after another are all its process's`() async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
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
    let truth = HostView(try await lab.a.quietConnections(), addresses: Topology.addressesOfA)
    let report = try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    #expect(report.balance.total.view == truth)
    #expect(try await client.counted().connections == 30)
    try await monitor.stop()
    try await server.finish()
  }

  @Test func `sixty small connections that close at once lose no byte`() async throws {
    let lab = try await Self.readyTopology()
    let monitor = try Reporter(in: lab.a)
    let kind = TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 20000 --connections 60")
    let traffic = try await kind.run(in: lab)
    let truth = HostView(try await lab.a.quietConnections(), addresses: Topology.addressesOfA)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    #expect(traffic.count.connections == 60)
    #expect(report.balance.sum == truth)
    #expect(report.rows.allSatisfy { $0.pid == nil || $0.pid == traffic.client.pid })
    try await monitor.stop()
    try await traffic.finish()
  }

  /// A with an empty, counting connection table.
  static func readyTopology() async throws -> Topology {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    try await lab.a.forgetConnections()
    return lab
  }
}
