import Lab
import Testing

/// A28: a virtual machine behind a TAP interface, whose bytes are no process's of this host.
@Suite(.needs(.namespaces, .tap), .serialized, .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct MonitorGuestTests {
  /// 300 datagrams of 1000 bytes with their headers.
  private static let bytes: UInt64 = 300 * 1028

  /// Hosts with a TAP interface in B: routed to A, or bridged to C.
  private struct Host {
    let lab: Topology
    let isBridged: Bool
    let server: Traffic
    let address: String
    let port: Int

    init(isBridged: Bool) async throws {
      self.isBridged = isBridged
      lab = try await Topology(withC: true)
      let b = lab.b
      let c = try #require(lab.c)
      try await b.trackConnections()
      try await b.ip("tuntap add dev tap0 mode tap")
      if isBridged {
        try await c.ip("link set eth0 address 02:00:00:00:00:01")
        try await b.ip("link add br0 type bridge")
        for port in ["tap0", "eth1"] { try await b.ip("link set \(port) master br0") }
        try await b.ip("link set br0 up")
      } else {
        try await b.ip("link set tap0 address 02:00:00:00:00:01")
        try await b.ip("addr add 10.77.3.1/24 dev tap0")
      }
      try await b.ip("link set tap0 up")
      address = isBridged ? "10.77.2.2" : "10.77.1.1"
      server = try Traffic("udp-serve", in: isBridged ? c : lab.a)
      port = try await server.ready()
    }

    /// Lets the guest send all its datagrams.
    func send() async throws -> Traffic {
      let guest = try Traffic(
        "guest \(address) \(port) --bind 10.77.3.2 --interface tap0 --size 1000 --count 300 --gate --hold",
        in: lab.b)
      try await guest.connected()
      try await eventually("the guest's carrier") {
        let state = try await lab.b.run(isBridged ? "bridge link show dev tap0" : "ip link show tap0")
        return state.contains(isBridged ? "state forwarding" : "LOWER_UP") ? () : nil
      }
      guest.go()
      #expect(try await guest.counted().datagrams == 300)
      return guest
    }

    /// Ends both; all must have arrived.
    func finish(_ guest: Traffic) async throws {
      try await guest.finish()
      try await server.finish()
      #expect(try await server.counted().received == 300_000)
    }
  }

  /// True when a part of the balance, or a row, says that somebody or nobody here moved the guest's bytes.
  private func blames(_ report: Report) -> Bool {
    report.balance.attributed.view != HostView() || report.balance.unattributed.view != HostView()
      || report.rows.contains { $0.pid != nil }
  }

  @Test(arguments: ["routed", "bridged"])
  func `a guest's bytes that are tracked are forwarded`(way: String) async throws {
    let isBridged = way == "bridged"
    if isBridged { try await Requirement.bridgeNetfilter.orSkip() }
    let host = try await Host(isBridged: isBridged)
    if isBridged { try await host.lab.b.setSysctl("net.bridge.bridge-nf-call-iptables", to: "1") }
    let monitor = try Reporter(in: host.lab.b)
    try await monitor.report("a first report")
    let guest = try await host.send()
    // A bridge speaks IGMP itself.
    let entries = try await host.lab.quietConnections(of: host.lab.b).filter { $0.transport == "udp" }
    let truth = HostView(entries, addresses: Topology.addressesOfB)
    #expect(truth == HostView(received: Self.bytes, sent: Self.bytes))
    let report = try await monitor.report("\(truth) forwarded") { $0.balance.forwarded.view == truth }
    #expect(!blames(report))
    try await monitor.stop()
    try await host.finish(guest)
  }

  @Test func `a guest's bytes that netfilter does not see are untracked`() async throws {
    let host = try await Host(isBridged: true)
    // Without br_netfilter there is nothing to turn off.
    _ = try? await host.lab.b.setSysctl("net.bridge.bridge-nf-call-iptables", to: "0")
    let monitor = try Reporter(in: host.lab.b)
    try await monitor.report("a first report")
    let guest = try await host.send()
    let report = try await monitor.report("\(Self.bytes) untracked bytes, in and out") {
      $0.balance.untracked.received >= Self.bytes && $0.balance.untracked.sent >= Self.bytes
    }
    #expect(try await host.lab.b.connections().allSatisfy { $0.transport != "udp" })
    // Beside them only what keeps a wire and a bridge going: neighbours, groups.
    #expect(report.untracked?.usage == report.balance.untracked.view)
    #expect(report.balance.untracked.received < Self.bytes + 40_000)
    #expect(report.balance.untracked.sent < Self.bytes + 40_000)
    #expect(report.balance.forwarded.view == HostView())
    #expect(!blames(report))
    try await monitor.stop()
    try await host.finish(guest)
  }
}
