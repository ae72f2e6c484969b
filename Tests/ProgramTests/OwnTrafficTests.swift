import Foundation
import Lab
import Testing

/// A39: what runaggregator itself moves is not shown unless that is asked for.
@Suite(.needs(.namespaces), .serialized, .timeLimit(.minutes(10)))
struct OwnTrafficTests {
  private static let monitors = "[m]\ntype=monitor\n[p]\ntype=pipe\nport=8080\n"

  @Test(arguments: [[], ["--show-self"]])
  func `a pipe's connections are its row, and a second one only if that is asked for`(flags: [String])
    async throws
  {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    let server = try Traffic("tcp-serve --send 500000", in: lab.a)
    let port = try await server.ready()
    let folder = try ScratchFolder()
    try folder.write(Self.monitors + "newhost=127.0.0.1\nnewport=\(port)\n", to: "monitors")
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"] + flags, program: "runaggregator",
      in: lab.a)
    try await aggregator.report("a first report")
    let client = try Traffic("tcp 127.0.0.1 8080 --send 1000000 --receive 500000 --hold", in: lab.a)
    _ = try await client.counted()
    let entries = try await lab.quietConnections()
    // Server of the one connection, client of the other.
    let own = entries.reduce(into: HostView()) { view, entry in
      let isClients = entry.original.destinationPort == 8080
      let (received, sent) = isClients ? (entry.original, entry.reply) : (entry.reply, entry.original)
      view.received += received.bytes ?? 0
      view.sent += sent.bytes ?? 0
    }
    #expect(entries.count == 2 && own.received > 1_500_000 && own.sent > 1_500_000)
    let whole = HostView(entries, addresses: Topology.addressesOfA)
    let payload = HostView(received: 1_000_000, sent: 500_000)
    let report = try await aggregator.report("\(whole) and the pipe's payload") {
      $0.balance.total.view == whole && $0.row(named: "pipe-8080:127.0.0.1:\(port)")?.usage == payload
    }
    let row = report.rows.first { $0.pids?.contains(aggregator.process.pid) == true }
    #expect(row?.usage == (flags.isEmpty ? nil : own))
    #expect(report.balance.hidden.view == (flags.isEmpty ? own : HostView()))
    #expect(report.balance.attributed.view == whole && report.rows.count == (flags.isEmpty ? 3 : 4))
    // Nobody else's bytes are hidden: the rows are the peers' and the pipe's.
    let shown = report.rows.reduce(HostView()) {
      HostView(received: $0.received + $1.received, sent: $0.sent + $1.sent)
    }
    let hidden = report.balance.hidden
    #expect(shown.received == whole.received - hidden.received + payload.received)
    #expect(shown.sent == whole.sent - hidden.sent + payload.sent)
    try await client.finish()
    try await server.finish()
    try await aggregator.stop()
  }

  /// A host whose names are asked for at a server that never answers.
  private func withoutNames(_ folder: ScratchFolder, _ lab: Topology, _ flags: [String]) async throws
    -> Reporter
  {
    try await lab.a.ip("neigh replace 10.77.1.200 lladdr 02:00:00:00:00:09 nud permanent dev eth0")
    try folder.write("nameserver 10.77.1.200\noptions timeout:30 attempts:1\n", to: "resolv.conf")
    return try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"] + flags, program: "runaggregator", in: lab.a,
      wrapper: [
        "unshare", "-m", "sh", "-c",
        "mount --bind \(folder.path)/resolv.conf /etc/resolv.conf && exec \"$@\"", "sh",
      ])
  }

  @Test func `a reload does not wait for names, not even once`() async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    let folder = try ScratchFolder()
    try folder.write(Self.monitors + "newhost=127.0.0.1\nnewport=9000\n", to: "monitors")
    let aggregator = try await withoutNames(folder, lab, [])
    try await aggregator.report("a first report")
    // A start waits three seconds for names. A machine may stand still for as long, but not each time.
    var longest: [Double] = []
    for attempt in 1...4 {
      try folder.write(Self.monitors + "newhost=name\(attempt).test\n", to: "monitors")
      let seen = try aggregator.reports().count
      aggregator.process.signal(SIGHUP)
      try await eventually("reload \(attempt)", state: { aggregator.state }) {
        aggregator.process.errors.lines.count { $0.contains("read again") } == attempt ? () : nil
      }
      try await aggregator.nextReport()
      longest.append(try aggregator.reports().dropFirst(seen).compactMap(\.interval).max() ?? .infinity)
    }
    #expect(longest.count { $0 < 2.5 } >= 3, "\(longest)")
    try await aggregator.stop()
  }

  @Test(arguments: [[], ["--show-self"]])
  func `its look-ups of names are not shown either`(flags: [String]) async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    let folder = try ScratchFolder()
    try folder.write("[m]\ntype=monitor\n", to: "monitors")
    // The socket of a question lives for seconds.
    let aggregator = try await withoutNames(folder, lab, flags)
    // The question comes while the sensor is at work: on a busy machine its socket may be closed before that.
    try await aggregator.report("a first report")
    try folder.write(Self.monitors + "newhost=name.test\n", to: "monitors")
    aggregator.process.signal(SIGHUP)
    let report = try await aggregator.report("a question for an address") { $0.balance.attributed.sent > 0 }
    #expect(try await lab.a.connections().allSatisfy { $0.original.destinationPort == 53 })
    #expect(report.balance.attributed.view == report.balance.total.view)
    #expect(report.balance.hidden.view == (flags.isEmpty ? report.balance.total.view : HostView()))
    #expect(report.rows.isEmpty == flags.isEmpty)
    try await aggregator.stop()
  }
}
