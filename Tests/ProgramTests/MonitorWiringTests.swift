import Lab
import Testing

/// A30, A31, A32, A46: tunnels, zones, interfaces that come and go, offload.
@Suite(.needs(.namespaces), .serialized, .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct MonitorWiringTests {
  @Test(.needs(.vxlan)) func `a tunnel's inner flow is its process's, the carrier nobody's`() async throws {
    let lab = try await Topology()
    for (host, own, other) in [(lab.a, 1, 2), (lab.b, 2, 1)] {
      try await host.ip(
        "link add tunnel0 type vxlan id 7 dstport 4789 dev eth0 local 10.77.1.\(own) remote 10.77.1.\(other)")
      try await host.ip("addr add 10.80.0.\(own)/24 dev tunnel0")
      try await host.ip("link set tunnel0 up")
    }
    try await lab.a.trackConnections()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(in: lab.a)
    let folder = try ScratchFolder()
    let file = try folder.write("[m]\ntype=monitor\nexcludetunnels=yes\n", to: "monitors")
    let without = [
      try Reporter(["--exclude-tunnels"], in: lab.a),
      try Reporter(["--exclude-tunnels"], program: "runaggregator", in: lab.a),
      try Reporter(["--monitor-config", file], program: "runaggregator", in: lab.a),
    ]
    let everywhere = try Reporter(["--exclude-tunnels"], in: lab.a, namespaces: true)
    for reporter in [monitor, everywhere] + without { try await reporter.report("a first report") }
    // What the interface said while the monitor began may be anybody's.
    let before = try await monitor.nextReport().balance.unattributed
    let client = try Traffic("tcp 10.80.0.2 \(port) --send 2000000 --hold", in: lab.a)
    _ = try await client.counted()
    let entries = try await lab.quietConnections()
    let inner = HostView(entries.filter { $0.transport == "tcp" }, addresses: ["10.80.0.1"])
    let carrier = HostView(entries.filter { $0.concerns(port: 4789) }, addresses: ["10.77.1.1"])
    // The interface speaks on its own too, so that the carrier has more than the packets of the client.
    let report = try await monitor.report("\(inner) inside, and the carrier") {
      $0.usage(pid: client.pid) == inner && $0.balance.total.sent >= inner.sent + carrier.sent
        && $0.balance.total.received >= inner.received + carrier.received
    }
    #expect(carrier.sent > inner.sent && carrier.received > inner.received)
    #expect(report.balance.attributed.view == inner && report.balance.hidden.view == HostView())
    #expect(report.rows.count { $0.pid != nil } == 1)
    if EachWitness.way != "bpf" {
      // The kernel's socket is like one of a process that may not be read.
      let reasons = report.balance.unattributed.reasons
      let (received, sent) = (
        reasons["no_holder", default: 0] + reasons["denied", default: 0], reasons["exited"]
      )
      #expect(received >= carrier.received && sent ?? 0 >= carrier.sent)
      #expect(report.balance.kernel.view == HostView())
    } else {
      // Each call of a process is reported, and none was for it.
      let kernel = report.balance.kernel.view + before.view
      #expect(kernel.sent >= carrier.sent && kernel.received >= carrier.received)
      #expect(report.balance.unattributed.view == before.view, "\(report.balance.unattributed.reasons)")
    }
    #expect(report.balance.forwarded.view == HostView())
    for reporter in without {
      let once = try await reporter.report("\(inner) inside, and the carrier hidden") {
        $0.balance.attributed.view == inner && $0.balance.hidden.sent >= carrier.sent
          && $0.balance.hidden.received >= carrier.received
      }
      #expect(once.rows.map(\.usage) == [inner])
      #expect(once.balance.total.view == once.balance.sum)
      #expect(once.balance.total.sent - once.balance.hidden.sent == inner.sent)
      #expect(once.balance.total.received - once.balance.hidden.received == inner.received)
    }
    // Where B is no other host but a namespace of this one, its end of the carrier is hidden as well.
    let both = try await everywhere.report("both processes") {
      $0.usage(pid: client.pid) == inner && $0.usage(pid: server.pid) == inner.reversed
    }
    // Beside another run of this test another B has the carrier's end too: then whose that is cannot be said.
    #expect(both.rows.allSatisfy { $0.pid != nil || $0.name == "(unattributed: ambiguous)" })
    #expect(both.balance.attributed.view == inner + inner.reversed)
    for reporter in [monitor, everywhere] + without { try await reporter.stop() }
    try await client.finish()
    try await server.finish()
  }

  @Test func `equal tuples in two zones are two flows`() async throws {
    let lab = try await Topology(withC: true)
    let c = try #require(lab.c)
    // A twin of C on a wire of its own.
    let twin = try await NetworkNamespace()
    try await Topology.connect(lab.b, "eth2", twin, "eth0")
    try await lab.b.ip("addr add 10.77.2.1/32 dev eth2")
    try await twin.ip("addr add 10.77.2.2/24 dev eth0")
    try await twin.ip("route add default via 10.77.2.1")
    try await lab.b.trackConnections()
    try await lab.b.nft(
      """
      table inet lab_zones {
        chain early {
          type filter hook prerouting priority raw;
          iifname "eth1" ct zone set 1
          iifname "eth2" ct zone set 2
        }
      }
      """)
    let server = try Traffic("raw-serve --protocol 253", in: lab.a)
    _ = try await server.ready()
    let monitor = try Reporter(in: lab.b)
    try await monitor.report("a first report")
    for round in UInt64(1)...2 {
      for (host, count) in [(c, 100), (twin, 250)] {
        let sender = try Traffic("raw 10.77.1.1 --protocol 253 --count \(count) --size 1000", in: host)
        _ = try await sender.counted()
        try await sender.finish()
      }
      let entries = try await lab.quietConnections(of: lab.b)
      #expect(entries.count == 2 && Set(entries.map(\.original.source)) == ["10.77.2.2"])
      let bytes = round * 350 * 1020
      let truth = HostView(received: bytes, sent: bytes)
      let report = try await monitor.report("\(truth)") { $0.balance.forwarded.view == truth }
      #expect(report.balance.total.view == truth)
      #expect(report.health["flows"] == 2)
    }
    try await monitor.stop()
    try await server.finish()
  }

  @Test func `a process in a zone of its own is named`() async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    try await lab.a.nft(
      """
      table inet lab_zones {
        chain early { type filter hook prerouting priority raw; ct zone set 5; }
        chain out { type filter hook output priority raw; ct zone set 5; }
      }
      """)
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let kind = TrafficKind(.client, "tcp-serve --send 500000", "tcp HOST PORT --send 500000 --receive 500000")
    let traffic = try await kind.run(in: lab)
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth)") { $0.usage(pid: traffic.client.pid) == truth }
    #expect(truth.sent > 500_000 && report.balance.total.view == truth)
    try await monitor.stop()
    try await traffic.finish()
  }

  @Test func `addresses and interfaces that come and go are followed`() async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    try await lab.a.ip("addr add 10.77.1.77/24 dev eth0")
    try await exchange("10.77.1.77", lab, monitor)
    try await send(to: "10.77.1.77", lab, monitor, received: 1028)
    try await Topology.connect(lab.a, "eth9", lab.b, "eth9")
    try await lab.a.ip("addr add 10.79.0.1/24 dev eth9")
    try await lab.b.ip("addr add 10.79.0.2/24 dev eth9")
    try await exchange("10.79.0.1", lab, monitor)
    try await send(to: "10.79.0.1", lab, monitor, received: 2056)
    try await lab.a.ip("link del eth9")
    try await lab.a.ip("addr del 10.77.1.77/24 dev eth0")
    try await exchange("10.77.1.1", lab, monitor)
    let report = try await monitor.report("the end of the last") { $0.ended("--bind 10.77.1.1") != nil }
    for address in ["10.77.1.77", "10.79.0.1", "10.77.1.1"] {
      let server = report.rows.first { $0.name.hasSuffix("--bind \(address)") }
      #expect(server?.usage == HostView(received: 102_800, sent: 102_800))
    }
    #expect(report.rows.count { $0.name != "(unattributed: no_socket)" } == 3)
    // A is a router for these addresses now, to a host that is not there.
    try await lab.a.setSysctl("net.ipv4.ip_forward", to: "1")
    for (number, address) in ["10.79.0.1", "10.77.1.77"].enumerated() {
      try await lab.a.ip("route add \(address) dev eth0")
      try await lab.a.ip("neigh replace \(address) lladdr 02:00:00:00:00:09 nud permanent dev eth0")
      try await lab.b.ip("route add \(address) via 10.77.1.1")
      try await send(to: address, lab, monitor, received: 2056, forwarded: 1028 * UInt64(number + 1))
    }
    try await monitor.stop()
  }

  /// Sends a datagram from B to a port that nobody has: A received it while the address is A's, else A forwards it.
  /// Waits until so many bytes are in all, and nothing else has no owner.
  private func send(
    to address: String, _ lab: Topology, _ monitor: Reporter, received: UInt64, forwarded: UInt64 = 0
  ) async throws {
    let sender = try Traffic("udp-scatter \(address) 9 --count 1 --size 1000", in: lab.b)
    _ = try await sender.counted()
    try await sender.finish()
    let report = try await monitor.report("\(received) received in all and \(forwarded) forwarded") {
      $0.balance.unattributed.received >= received && $0.balance.forwarded.received >= forwarded
    }
    #expect(report.balance.unattributed.view == HostView(received: received))
    #expect(report.balance.unattributed.reasons["no_socket"] == received)
    #expect(report.balance.forwarded.view == HostView(received: forwarded, sent: forwarded))
  }

  /// Sends 100 datagrams to a server at an address of A and back, waits until they are its own, and ends both.
  ///
  /// A socket without a peer, so that only the address says that it is meant.
  private func exchange(_ address: String, _ lab: Topology, _ monitor: Reporter) async throws {
    let server = try Traffic("udp-serve --bind \(address)", in: lab.a)
    let port = try await server.ready()
    let client = try Traffic("udp \(address) \(port) --size 1000 --count 100 --echo", in: lab.b)
    _ = try await client.counted()
    try await monitor.report("the bytes for \(address)") {
      $0.usage(pid: server.pid) == HostView(received: 102_800, sent: 102_800)
    }
    try await client.finish()
    try await server.finish()
  }

  @Test(.needs(.flowtable)) func `an offloaded flow is marked and said`() async throws {
    let lab = try await Topology(withC: true)
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    try await lab.b.nft(
      """
      table inet lab_offload {
        flowtable fast { hook ingress priority 0; devices = { eth0, eth1 }; }
        chain forward { type filter hook forward priority 0; meta l4proto tcp flow add @fast; }
      }
      """)
    let server = try Traffic("tcp-serve", in: c)
    let port = try await server.ready()
    let monitor = try Reporter(in: lab.b)
    try await monitor.report("a first report")
    let client = try Traffic("tcp 10.77.2.2 \(port) --send 4000000 --hold", in: lab.a)
    _ = try await client.counted()
    let report = try await monitor.report("an offloaded flow") { $0.health["offloaded"] == 1 }
    #expect(report.rows.allSatisfy { $0.pid == nil })
    #expect(monitor.process.errors.text.contains("offloaded"))
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }
}
