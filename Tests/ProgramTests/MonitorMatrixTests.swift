import Lab
import Testing

/// A1-A9, A12, A13, A15, A25: every kind of traffic; the truth is the generator's own count, conntrack(8) and nft(8)
/// beside it.
@Suite(
  .needs(.namespaces), .serialized, .eachWitness, .sayingTheWitness, .laboratory(withC: true),
  .timeLimit(.minutes(20)))
struct MonitorMatrixTests {
  @Test(arguments: MatrixRow.matrix + MatrixRow.variants)
  func `each kind of traffic is counted and named`(row: MatrixRow) async throws {
    let lab = try Laboratory.topology
    let host = row.kind.place == .container ? lab.b : lab.a
    try await host.trackConnections()
    if row.kind.place == .container { try await host.masquerade(out: "eth0") }
    try await lab.forgetConnections(of: host)
    try await lab.b.countPackets()
    let resident = row.kind.place == .container ? try await lab.c?.resident() : nil
    let monitor = try Reporter(in: host, namespaces: row.kind.place == .container)
    try await monitor.report("a first report")
    let traffic = try await row.kind.run(in: lab) { _ in
      // Its socket is open at the start of the interval.
      for _ in 0..<2 { try await monitor.nextReport() }
    } seen: { client in
      try await monitor.report("process \(client.pid)") { $0.row(pid: client.pid) != nil }
    }
    let table = FlowSum(try await lab.quietConnections(of: host))
    let report =
      row.owner == .untracked
      ? try await expectFrames(row, traffic, monitor)
      : try await expectOwner(row, traffic, table.moved, lab, monitor)
    #expect(report.balance.sum == report.balance.total.view)
    try await monitor.stop()
    if row.kind.place == .client { try await expectPeer(lab.b, table.moved) }
    try await traffic.finish()
    try await resident?.stop()
    #expect(traffic.counts.allSatisfy { $0.sent + $0.received > 0 })
    if row.owner == .untracked { return }
    table.expect(traffic.counts, row.header, server: try await traffic.server.counted())
  }

  /// Waits until all of `truth`, in the client's view, is whose it must be.
  private func expectOwner(
    _ row: MatrixRow, _ traffic: TrafficKind.Running, _ truth: HostView, _ lab: Topology, _ monitor: Reporter
  ) async throws -> Report {
    var owner = row.owner
    if owner == .clientIfTold {
      let port = try await traffic.server.ready()
      owner = try await lab.a.run("ss --sctp --all --numeric").contains(":\(port)") ? .client : .nobody
    }
    let clients = owner == .client || owner == .both ? traffic.clients.map(\.pid) : []
    let servers = owner == .server || owner == .both ? [traffic.server.pid] : []
    let unnamed = owner == .nobody ? truth : HostView()
    let report = try await monitor.report("\(truth) for \(owner) \(clients + servers)") { report in
      report.balance.unattributed.view == unnamed
        && (clients.isEmpty || report.usage(ofEndedAnd: clients) == truth)
        && (servers.isEmpty || report.usage(pids: servers) == truth.reversed)
    }
    if EachWitness.way == "bpf" {
      // What a process of this host moved has its name for certain, at any time.
      for row in try monitor.reports().flatMap(\.rows) where row.sent + row.received > 0 {
        #expect(row.kind == "remainder" ? row.name == "(kernel)" : row.match == "exact", "\(row)")
      }
    }
    let named = try monitor.reports().flatMap(\.rows)
      .filter { $0.pid != nil && $0.sent + $0.received > 0 }.compactMap(\.pid)
    #expect(Set(named) == Set(clients + servers))
    #expect(report.balance.forwarded.view == HostView())
    return report
  }

  /// Waits until the frames are those of their sender, and of no flow.
  private func expectFrames(
    _ row: MatrixRow, _ traffic: TrafficKind.Running, _ monitor: Reporter
  ) async throws -> Report {
    let bytes = traffic.count.sent - row.header.bytes * traffic.count.datagrams
    let pid = traffic.client.pid
    let report = try await monitor.report("\(bytes) bytes of frames") {
      $0.usage(pid: pid).sent >= bytes - bytes / 100
    }
    #expect(bytes > 0 && report.row(pid: pid)?.match == (EachWitness.way == "bpf" ? "exact" : "relaxed"))
    for counted in [report.balance.untracked.sent, report.usage(pid: pid).sent] {
      #expect(abs(Int(counted) - Int(bytes)) <= bytes / 100, "\(counted) of \(bytes)")
    }
    #expect(report.usage(pid: pid).received == 0 && report.balance.total.view == HostView())
    #expect(report.rows.allSatisfy { $0.pid == nil || $0.pid == pid })
    return report
  }

  /// Waits until the peer has counted the same packets; the last of them may still be on their way.
  private func expectPeer(_ peer: NetworkNamespace, _ truth: HostView) async throws {
    var counted = HostView()
    try await eventually("\(truth) at the peer", state: { "\(counted.reversed)" }) {
      let bytes = try await peer.countedBytes()
      counted = HostView(received: bytes.received, sent: bytes.sent)
      return counted.reversed == truth ? () : nil
    }
  }
}
