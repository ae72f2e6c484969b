import Lab
import Testing

/// A27: what passes through a host is its own kind, never a process's.
@Suite(
  .needs(.namespaces), .serialized, .laboratory(withC: true), .eachWitness, .sayingTheWitness,
  .timeLimit(.minutes(20)))
struct MonitorForwardingTests {
  enum Translation: String, Sendable, CaseIterable { case none, masquerade, port }

  @Test(arguments: Translation.allCases)
  func `a routed flow is forwarded`(translation: Translation) async throws {
    let lab = try Laboratory.topology
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    let server = try Traffic("tcp-serve --send 2000000 --bind 10.77.2.2", in: c)
    let port = try await server.ready()
    var target = "10.77.2.2"
    switch translation {
    case .none: break
    case .masquerade: try await lab.b.masquerade(out: "eth1")
    case .port:
      target = "10.77.1.2"
      try await lab.b.nft(
        """
        table ip lab_nat
        delete table ip lab_nat
        table ip lab_nat {
          chain in { type nat hook prerouting priority dstnat; tcp dport \(port) dnat to 10.77.2.2; }
        }
        """)
    }
    try await lab.b.forgetConnections()
    let monitor = try Reporter(in: lab.b)
    try await monitor.report("a first report")
    let client = try Traffic("tcp \(target) \(port) --send 4000000 --receive 2000000 --hold", in: lab.a)
    _ = try await client.counted()
    let entries = try await lab.quietConnections(of: lab.b)
    let truth = HostView(entries, addresses: Topology.addressesOfB)
    #expect(truth.received == truth.sent)
    #expect(truth.sent > 6_000_000, "\(entries)")
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    #expect(report.balance.forwarded.view == truth)
    #expect(report.rows.allSatisfy { $0.pid == nil })
    #expect(report.row(named: "(forwarded)")?.usage == truth)
    #expect(try #require(try await monitor.nextReport().balance.coverage) > 98)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }
}
