import Lab
import Testing

/// Connections that the kernel does not count: what processes move of them is reported by the BPF program.
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
    let report = try await monitor.report("\(expected)") {
      // Headers of 200 datagrams each way at least are left, which is known a second late.
      $0.balance.total.view == total && $0.balance.untracked.sent >= 200 * 28
        && $0.balance.untracked.received >= 200 * 28
    }
    #expect(report.balance.attributed.view == total && report.balance.payload.view == total)
    #expect(report.layer == "l3" && report.rows.allSatisfy { $0.layer == "payload" && $0.match == "exact" })
    if program == "runmonitor" {
      for (pid, usage) in expected { #expect(report.usage(pid: pid) == usage) }
    }
    // And of segments of some kilobytes, with acknowledgements.
    for (rest, moved) in [
      (report.balance.untracked.sent, total.sent), (report.balance.untracked.received, total.received),
    ] {
      #expect(rest < moved / 10 + 40_000, "\(rest) of \(moved)")
    }
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

  @Test func `the second tier counts payload of TCP as exactly, and datagrams that are sent`() async throws {
    let lab = try await Topology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let monitor = try Reporter(["--witness", "bpf-5.8"], in: lab.a)
    try await monitor.report("a first report")
    var expected = HostView()
    for kind in Self.kinds {
      let run = try await kind.run(in: lab)
      let isUDP = kind.server.hasPrefix("udp")
      for (_, usage) in Self.payloadOnA(of: run, kind.place) {
        expected = expected + HostView(received: isUDP ? 0 : usage.received, sent: usage.sent)
      }
      // What TCP sends after the last call is reported with the end of the connection.
      try await run.finish()
    }
    let report = try await monitor.report("\(expected)") { $0.balance.total.view == expected }
    #expect(report.balance.attributed.view == expected)
    #expect(report.rows.allSatisfy { $0.layer == "payload" && $0.match == "exact" })
    for _ in 0..<3 { try await monitor.nextReport() }
    #expect(try monitor.reports().last?.balance.total.view == expected)
    try await monitor.stop()
  }

  @Test func `entries of a table that counts nothing any more hide nobody`() async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections()
    // Entries of the same ports and protocols stay when the rule is gone.
    let server = try Traffic("udp-serve --port 7788", in: lab.a)
    _ = try await server.ready()
    try await TrafficKind(.client, "tcp-serve", "ping HOST --count 2 --size 100").run(in: lab).finish()
    let early = try Traffic("udp 10.77.1.1 7788 --count 3 --size 100 --echo", in: lab.b)
    _ = try await early.counted()
    try await early.finish()
    try await server.finish()
    try await lab.a.nft("delete table inet lab_tracking")
    #expect(try await lab.a.connections().count >= 2)
    let monitor = try Reporter(in: lab.a)
    for _ in 0..<3 { try await monitor.nextReport() }
    let later = try Traffic("udp-serve --port 7788", in: lab.a)
    _ = try await later.ready()
    let client = try Traffic("udp 10.77.1.1 7788 --count 50 --size 100 --echo", in: lab.b)
    _ = try await client.counted()
    let ping = try await TrafficKind(.client, "tcp-serve", "ping HOST --count 20 --size 100").run(in: lab)
    try await monitor.report("a server and a ping") {
      $0.usage(pid: later.pid) == HostView(received: 5_000, sent: 5_000)
        && $0.usage(pid: ping.client.pid).sent == 2_000
    }
    try await monitor.stop()
    let said = monitor.process.complaints
    #expect(said.count == 1 && said[0].contains("--enable-tracking"), "\(said)")
    try await ping.finish()
    try await client.finish()
    try await later.finish()
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
  func `what a connection had moved before the start is not reported`(witness: String) async throws {
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

  /// Whether the connection is tracked without being counted, or not tracked at all.
  @Test(arguments: [true, false], ["lookup", "bpf-5.8", "bpf"])
  func `a connection that is older than the program has its bytes, within half a percent`(
    isTracked: Bool, witness: String
  ) async throws {
    let lab = try await Topology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    if isTracked { try await lab.a.trackConnections(counting: false) }
    try await lab.b.countPackets()
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(try await server.ready()) --send 400000 --after 20000000 --gate --hold --exec "
        + Program.traffic, in: lab.a)
    _ = try await client.counted()
    let before = try await lab.b.countedBytes()
    let monitor = try Reporter(["--enable-tracking", "--witness", witness], in: lab.a)
    try await monitor.report("a first report")
    client.go()
    _ = try await client.counts(2)
    // Looked up while it lives, however long a busy machine takes for it.
    if witness == "lookup" { try await monitor.report("its name") { $0.row(pid: client.pid) != nil } }
    // What TCP sends after the last call is reported with the end of the connection.
    try await client.finish()
    let after = try await lab.b.countedBytes()
    let moved = after.received - before.received + after.sent - before.sent
    #expect(moved > 20_000_000)
    // Payload, as a table that does not count has none of the headers. Without a BPF program what the connection moved before
    // is reported too.
    let payload: UInt64 = witness == "lookup" && isTracked ? 20_400_000 : 20_000_000
    let report = try await monitor.report("\(payload) bytes") {
      let usage = $0.usage(ofEndedAnd: [client.pid])
      return usage.sent + usage.received >= payload / 1_000 * 995
    }
    let usage = report.usage(ofEndedAnd: [client.pid])
    let most = isTracked ? payload : max(payload, moved)
    #expect(usage.sent + usage.received <= most / 1_000 * 1_005, "\(usage)")
    try await monitor.stop()
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
