import Lab
import Testing

/// Connections that the kernel does not count: what processes move of them is told by the BPF program.
@Suite(.needs(.namespaces, .calls), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorUncountedTests {
  private static let kinds = [
    TrafficKind(.client, "tcp-serve --send 200000", "tcp HOST PORT --send 300000 --receive 200000"),
    TrafficKind(.server, "tcp-serve --send 50000", "tcp HOST PORT --send 100000 --receive 50000"),
    TrafficKind(.client, "udp-serve", "udp HOST PORT --count 100 --size 700 --echo --connected"),
    TrafficKind(.server, "udp-serve", "udp HOST PORT --count 100 --size 700 --echo"),
    TrafficKind(.both, "tcp-serve", "tcp HOST PORT --send 123456"),
  ]

  /// Why nothing is counted, and what is said of it.
  enum Cause: String, CaseIterable {
    case withoutAccounting = "accounting_off"
    case withoutTracking = "tracking_off"
  }

  @Test(arguments: Cause.allCases, ["runmonitor", "runaggregator"])
  func `where nothing is counted every process has its payload`(cause: Cause, program: String) async throws {
    let lab = try await Topology()
    try await lab.a.setSysctl(
      "net.netfilter.nf_conntrack_acct", to: cause == .withoutAccounting ? "0" : "1")
    let flags = program == "runaggregator" ? ["--auto-group"] : []
    let monitor = try Reporter(flags, program: program, in: lab.a)
    try await monitor.report("a first report")
    var expected: [Int32: HostView] = [:]
    var total = HostView()
    var running: [TrafficKind.Running] = []
    for kind in Self.kinds {
      let run = try await kind.run(in: lab)
      running.append(run)
      for (pid, usage) in Self.payloadOnA(of: run, kind.place) {
        expected[pid] = usage
        total = HostView(received: total.received + usage.received, sent: total.sent + usage.sent)
      }
    }
    let report = try await monitor.report("\(expected)") { $0.balance.total.view == total }
    #expect(report.balance.attributed.view == total && report.balance.payload.view == total)
    #expect(report.layer == "l3" && report.rows.allSatisfy { $0.layer == "payload" && $0.match == "exact" })
    if program == "runmonitor" {
      for (pid, usage) in expected { #expect(report.usage(pid: pid) == usage) }
    }
    // Headers and acknowledgements are what is left.
    #expect(report.balance.untracked.sent < total.sent)
    try await monitor.stop()
    let said = monitor.process.complaints
    #expect(said.count == 1 && said[0].contains("--enable-tracking counts whole packets"), "\(said)")
    #expect(monitor.process.output.lines.count { $0.contains(#""code":"\#(cause.rawValue)""#) } == 1)
    for run in running { try await run.finish() }
  }

  /// What the processes of A have moved by their own count.
  private static func payloadOnA(
    of run: TrafficKind.Running, _ place: TrafficKind.Place
  ) -> [(pid: Int32, usage: HostView)] {
    let client = HostView(received: run.count.received, sent: run.count.sent)
    let server = HostView(received: client.sent, sent: client.received)
    return (place == .server ? [] : [(run.client.pid, client)])
      + (place == .client ? [] : [(run.server.pid, server)])
  }

  @Test func `what a rule keeps out of the table is payload, and all else is counted once`() async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    for chain in ["prerouting", "output"] {
      try await lab.a.nft(
        "table inet skip { chain \(chain) { type filter hook \(chain) priority raw; meta l4proto tcp th dport \(port) notrack; th sport \(port) notrack; }; }"
      )
    }
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let skipped = try Traffic("tcp 10.77.1.2 \(port) --send 400000 --hold", in: lab.a)
    _ = try await skipped.counted()
    let tracked = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 300000").run(in: lab)
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth) and 400000 bytes") {
      $0.balance.total.sent == truth.sent + 400_000
    }
    #expect(report.balance.payload.view == HostView(received: 0, sent: 400_000))
    #expect(report.row(pid: skipped.pid)?.layer == "payload")
    #expect(report.row(pid: tracked.client.pid)?.layer == nil)
    #expect(report.usage(pid: tracked.client.pid) == truth)
    for _ in 0..<3 { try await monitor.nextReport() }
    #expect(try monitor.reports().last?.balance.total.view == report.balance.total.view)
    try await monitor.stop()
    try await tracked.finish()
    try await skipped.finish()
    try await server.finish()
  }

  @Test(arguments: ["bpf", "bpf-5.8"])
  func `what a connection had moved before the start is not told`(witness: String) async throws {
    let lab = try await Topology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(try await server.ready()) --send 400000 --after 30000 --gate --hold --exec "
        + Program.traffic, in: lab.a)
    _ = try await client.counted()
    let monitor = try Reporter(["--witness", witness], in: lab.a)
    try await monitor.report("a first report")
    client.go()
    _ = try await client.counts(2)
    let report = try await monitor.report("30,000 bytes") { $0.usage(pid: client.pid).sent >= 30_000 }
    #expect(report.usage(pid: client.pid).sent == 30_000)
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `datagrams of a flow that is older than accounting are payload`() async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections(counting: false)
    try await lab.b.trackConnections()
    let server = try Traffic("udp-serve", in: lab.b)
    let client = try Traffic(
      "udp 10.77.1.2 \(try await server.ready()) --count 50 --size 900 --connected --step --hold", in: lab.a)
    try await eventually("half of the datagrams") {
      try await lab.b.connections().contains { $0.original.bytes == 25 * 928 } ? () : nil
    }
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "1")
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    client.go()
    let report = try await monitor.report("22,500 bytes") { $0.usage(pid: client.pid).sent == 22_500 }
    #expect(report.row(pid: client.pid)?.layer == "payload")
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }
}
