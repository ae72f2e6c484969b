import Lab
import Testing

/// A1-A9, A12, A15, A25: every kind of traffic, with the generator's own count and conntrack(8) as the truth.
@Suite(.needs(.namespaces), .serialized, .laboratory(withC: true), .timeLimit(.minutes(4)))
struct MonitorMatrixTests {
  @Test(arguments: MatrixRow.matrix + MatrixRow.variants)
  func `each kind of traffic is counted and named`(row: MatrixRow) async throws {
    let lab = try Laboratory.topology
    let host = row.kind.place == .container ? lab.b : lab.a
    try await host.trackConnections()
    if row.kind.place == .container { try await host.masquerade(out: "eth0") }
    try await host.forgetConnections()
    let wire = try await lab.a.interfaceBytes("eth0")
    let monitor = try Reporter(in: host, namespaces: row.kind.place == .container)
    try await monitor.report("a first report")
    let traffic = try await row.kind.run(in: lab) { client in
      try await monitor.report("process \(client.pid)") { $0.row(pid: client.pid) != nil }
    }
    let table = Table(try await host.quietConnections())
    let report = try await expectOwner(row, traffic, table.moved, monitor)
    try await monitor.stop()
    try await traffic.finish()
    #expect(report.balance.sum == report.balance.total.view)
    if row.owner == .untracked {
      let onWire = try await lab.a.interfaceBytes("eth0").sent - wire.sent
      #expect(onWire >= traffic.count.sent && traffic.count.sent > 0)
    } else {
      try await expectCount(row, traffic, table)
    }
  }

  /// All flows added up, in the client's view.
  private struct Table {
    var moved = HostView()
    var packets = HostView()

    init(_ entries: [ConntrackEntry]) {
      for entry in entries {
        moved.sent += entry.original.bytes ?? 0
        moved.received += entry.reply.bytes ?? 0
        packets.sent += entry.original.packets ?? 0
        packets.received += entry.reply.packets ?? 0
      }
    }
  }

  /// Waits until all of `truth`, in the client's view, is whose it must be.
  private func expectOwner(
    _ row: MatrixRow, _ traffic: TrafficKind.Running, _ truth: HostView, _ monitor: Reporter
  ) async throws -> Report {
    let clients = row.owner == .client || row.owner == .both ? traffic.clients.map(\.pid) : []
    let servers = row.owner == .server || row.owner == .both ? [traffic.server.pid] : []
    func agrees(_ report: Report) -> Bool {
      let unnamed = row.owner == .nobody ? truth : HostView()
      return report.balance.unattributed.view == unnamed
        && (clients.isEmpty || report.usage(ofEndedAnd: clients) == truth)
        && (servers.isEmpty || report.usage(pids: servers) == truth.reversed)
    }
    let report =
      row.owner == .untracked
      ? try await monitor.nextReport()
      : try await monitor.report("\(truth) for \(row.owner) \(clients + servers)", where: agrees)
    #expect(agrees(report))
    let named = try monitor.reports().flatMap(\.rows)
      .filter { $0.pid != nil && $0.sent + $0.received > 0 }.compactMap(\.pid)
    // A sender of frames may have been given them, relaxed, a second after.
    let senders = row.owner == .untracked ? traffic.clients.map(\.pid) : []
    #expect(Set(named).subtracting(senders) == Set(clients + servers))
    #expect(report.balance.forwarded.view == HostView())
    return report
  }

  /// The generator's payload and the headers of its packets are the table's bytes: exactly for datagrams, within 1 %
  /// for a stream.
  private func expectCount(_ row: MatrixRow, _ traffic: TrafficKind.Running, _ table: Table) async throws {
    let resent = try await traffic.server.counted().retransmitted
    let sum = traffic.counts.reduce(into: HostView(received: resent)) { sum, count in
      sum.sent += count.sent + count.retransmitted
      sum.received += count.received
    }
    let datagrams = traffic.counts.reduce(0) { $0 + $1.datagrams }
    let connections = traffic.counts.reduce(0) { $0 + $1.connections }
    let sent = sum.sent + row.header * (datagrams > 0 ? datagrams : table.packets.sent)
    let received = sum.received + row.header * table.packets.received
    // The options of a handshake come on top.
    func slack(_ bytes: UInt64) -> Int { datagrams > 0 ? 0 : Int(bytes / 100 + 100 * connections) }
    #expect(abs(Int(table.moved.sent) - Int(sent)) <= slack(sent), "\(sent)")
    #expect(abs(Int(table.moved.received) - Int(received)) <= slack(received), "\(received)")
    #expect(sum.sent + sum.received > 0)
  }
}

extension Report {
  /// What these processes moved, and those that have ended: no others end here.
  fileprivate func usage(ofEndedAnd pids: [Int32]) -> HostView {
    rows.filter { $0.processes != nil }.map(\.usage).reduce(usage(pids: pids)) {
      HostView(received: $0.received + $1.received, sent: $0.sent + $1.sent)
    }
  }
}
