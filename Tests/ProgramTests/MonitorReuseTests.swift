import Lab
import Testing

/// A21, A22, A23: pids, ports and connections that come a second time.
@Suite(
  .needs(.namespaces), .serialized, .laboratory(), .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct MonitorReuseTests {
  @Test func `two connections with the same ends within one interval are two processes'`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    try await lab.a.setSysctl("net.ipv4.tcp_max_tw_buckets", to: "0")
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(interval: "3600", in: lab.a)
    try await monitor.report("a first report")
    var clients: [(pid: Int32, truth: HostView)] = []
    for bytes in [300_000, 100_000] {
      let client = try Traffic("tcp 10.77.1.2 \(port) --source-port 4000 --send \(bytes)", in: lab.a)
      let count = try await client.counted()
      try await client.finish()
      let entries = try await lab.a.closedConnections()
      #expect(entries.count == 1)
      FlowSum(entries).expect([count])
      clients.append((client.pid, HostView(entries, addresses: Topology.addressesOfA)))
    }
    try await monitor.stop()
    let report = try #require(try monitor.reports().last)
    let truth = clients.map(\.truth).reduce(HostView(), +)
    #expect(report.balance.total.view == truth)
    for (pid, truth) in clients {
      guard let row = report.row(pid: pid) else {
        #expect(EachWitness.way == "lookup")
        continue
      }
      // Headers go with the payload that each moved between these ends.
      let (most, least) = (max(row.sent, truth.sent), min(row.sent, truth.sent))
      #expect(most - least < truth.sent / 200, "\(row.usage) of \(truth)")
    }
    #expect(EachWitness.way == "lookup" || report.balance.attributed.view == truth)
    try await server.finish()
  }

  @Test func `two connections with the same ends are two flows`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    // Its port is free again as soon as it is closed.
    try await lab.a.setSysctl("net.ipv4.tcp_max_tw_buckets", to: "0")
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    var clients: [(bytes: Int, truth: HostView)] = []
    for bytes in [3_000_000, 1_000_000] {
      let client = try Traffic("tcp 10.77.1.2 \(port) --source-port 4000 --send \(bytes) --hold", in: lab.a)
      let count = try await client.counted()
      try await monitor.report("its bytes") { $0.usage(pid: client.pid).sent > UInt64(bytes) }
      try await client.finish()
      // A busy server may close long after.
      try await eventually("its end in the table") {
        let table = try await lab.a.run("conntrack -L")
        return table.contains(" TIME_WAIT ") || table.contains(" CLOSE ") ? () : nil
      }
      let entries = try await lab.quietConnections()
      #expect(entries.count == 1)
      FlowSum(entries).expect([count])
      clients.append((bytes, HostView(entries, addresses: Topology.addressesOfA)))
    }
    let report = try await monitor.report("both, to the byte") { report in
      clients.allSatisfy { report.ended("--send \($0.bytes)")?.usage == $0.truth }
    }
    #expect(report.rows.count == 2)
    #expect(report.balance.attributed.view == report.balance.total.view)
    let totals = try monitor.reports().map(\.balance.total)
    #expect(
      zip(totals, totals.dropFirst()).allSatisfy { $0.received <= $1.received && $0.sent <= $1.sent })
    try await monitor.stop()
    try await server.finish()
  }

  @Test func `a flow that expired and goes on adds up`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    for setting in ["udp_timeout", "udp_timeout_stream"] {
      try await lab.a.setSysctl("net.netfilter.nf_conntrack_\(setting)", to: "1")
    }
    let server = try Traffic("udp-serve", in: lab.b)
    let port = try await server.ready()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let client = try Traffic("udp 10.77.1.2 \(port) --size 1000 --count 20 --echo --step --hold", in: lab.a)
    for half in 1...2 {
      _ = try await client.counts(half)
      // With its headers: 20 of IPv4 and 8 of UDP.
      let truth = HostView(received: UInt64(half) * 10_280, sent: UInt64(half) * 10_280)
      let report = try await monitor.report("\(truth), and the end of the flow") {
        $0.usage(pid: client.pid) == truth && $0.health["flows"] == 0
      }
      #expect(report.balance.total.view == truth)
      #expect(report.rows.count == 1)
      client.go()
    }
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }
}

/// A21: a pid that comes a second time in a PID namespace, where owners are always looked up.
@Suite(.needs(.namespaces, .nextPid), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PidReuseTests {
  /// Starts a monitor, and then for each line of its input a client with pid 900 that ends with the next one.
  private static let script = """
    "$1" --format json --all-rows --interval 0.1 --no-namespaces &
    monitor=$!
    exec 3<>"$2"
    for bytes in 1000000 400000; do
      read -r
      echo 899 > /proc/sys/kernel/ns_last_pid
      "$3" tcp 10.77.1.2 "$4" --send $bytes --hold <&3 >&2 &
      read -r
      kill $!
      wait $!
    done
    read -r
    kill $monitor
    wait $monitor
    """

  @Test func `two processes with one pid are two rows`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let folder = try ScratchFolder()
    try await run("mkfifo \(folder.path)/held")
    let monitor = Reporter(
      process: try lab.a.start(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", Self.script, "bash"]
          + [Program.path("runmonitor"), "\(folder.path)/held", Program.traffic, "\(port)"]))
    try await monitor.report("a first report")
    monitor.process.write("\n")
    try await monitor.report("the first process") { $0.usage(pid: 900).sent > 1_000_000 }
    monitor.process.write("\n")
    try await monitor.report("its end") { $0.row(pid: 900)?.exited == true }
    // A busy server may close long after.
    let truth = HostView(try await lab.a.closedConnections(), addresses: Topology.addressesOfA)
    monitor.process.write("\n")
    let both = try await monitor.report("the second process, and \(truth) of the first") {
      $0.ended("--send 1000000")?.usage == truth && $0.usage(pid: 900).sent > 400_000
    }
    let old = try #require(both.ended("--send 1000000"))
    #expect(old.processes == 1)
    let new = try #require(both.row(pid: 900))
    #expect(new.exited == false && new.sent < 1_000_000)
    #expect(both.balance.attributed.view == both.balance.total.view)
    monitor.process.write("\n\n")
    #expect(try await monitor.process.ended() == .exited(0))
    try await server.finish()
  }
}
