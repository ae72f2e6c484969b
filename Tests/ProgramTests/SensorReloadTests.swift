import Foundation
import Lab
import Testing

/// Reloads that take the last monitor away, and bring one back.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(5)))
struct SensorReloadTests {
  private static let pipe = "[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n"
  private static let monitor = "[m]\ntype=monitor\n"

  /// Reads the files again, and waits until that was done.
  private func reload(_ aggregator: Reporter) async throws {
    let seen = aggregator.process.errors.lines.count
    aggregator.process.signal(SIGHUP)
    try await aggregator.process.errors.first("the reload", from: seen) {
      $0.contains("configuration read again") ? () : nil
    }
  }

  private func send(_ bytes: Int, in lab: Topology) async throws -> (client: Traffic, server: Traffic) {
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic("tcp 10.77.1.2 \(try await server.ready()) --send \(bytes) --hold", in: lab.a)
    _ = try await client.counted()
    return (client, server)
  }

  @Test func `without a monitor the sensor ends and undoes tracking, with one it is started again`()
    async throws
  {
    let lab = try await Topology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let folder = try ScratchFolder()
    try folder.write(Self.monitor + Self.pipe, to: "monitors")
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors", "--auto-group", "--enable-tracking"],
      program: "runaggregator", in: lab.a)
    try await aggregator.report("a first report")
    let sensor = try aggregator.sensor()
    let (client, server) = try await send(300_000, in: lab)
    let truth = try await lab.viewOfA()

    try folder.write(Self.pipe, to: "monitors")
    try await reload(aggregator)
    #expect(throws: LabError.self) { try aggregator.sensor() }
    #expect(kill(sensor.pid, 0) == -1 && kill(sensor.launcher, 0) == 0)
    #expect(try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "0")
    #expect(!(try await lab.a.run("nft list ruleset").contains("bwmon")))
    // What it had counted until then is not lost, and alone in the totals from now on.
    let without = try await aggregator.report("what it had counted") { $0.balance.total.view == truth }
    let row = try #require(without.row(named: "traffic"))
    let after = try await aggregator.nextReport()
    #expect(after.row(named: "traffic")?.usage == row.usage)
    #expect(after.interval != nil && after.layer == "payload")

    try folder.write(Self.monitor + Self.pipe, to: "monitors")
    try await reload(aggregator)
    #expect(try aggregator.sensor().launcher == sensor.launcher)
    #expect(try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "1")
    let (second, other) = try await send(200_000, in: lab)
    try await aggregator.report("what moves with it") {
      $0.row(named: "traffic")?.sent ?? 0 > UInt64(500_000)
    }
    try await client.finish()
    try await second.finish()
    try await aggregator.stop()
    for server in [server, other] { try await server.finish() }
    #expect(try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "0")
    #expect(try aggregator.reports().allSatisfy { $0.balance.sum == $0.balance.total.view })
    #expect(try aggregator.reports().dropFirst().allSatisfy { $0.interval != nil })
  }

  @Test func `what moved since the last report is counted when the sensor ends`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    try folder.write(Self.monitor + Self.pipe, to: "monitors")
    // No report comes between the first and the last.
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"], program: "runaggregator", interval: "3600", in: lab.a)
    try await aggregator.report("a first report")
    let (client, server) = try await send(300_000, in: lab)
    let truth = try await lab.viewOfA()
    try folder.write(Self.pipe, to: "monitors")
    try await reload(aggregator)
    try await client.finish()
    try await server.finish()
    try await aggregator.stop()
    #expect(try aggregator.reports().last?.balance.total.view == truth)
  }

  @Test func `what fires when the sensor ends is taken back`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    try folder.write(Self.monitor, to: "monitors")
    let rules = try folder.write("[much]\nout_threshold=1\ninterval=1\n", to: "rules")
    let aggregator = try Reporter(
      [
        "--monitor-config", "\(folder.path)/monitors", "--auto-group", "--notification-config", rules,
      ], program: "runaggregator", in: lab.a)
    try await aggregator.report("a first report")
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic(
      "tcp 10.77.1.2 \(try await server.ready()) --send 30000000 --rate 100000 --hold", in: lab.a)
    func states() -> [String] {
      aggregator.process.output.lines.filter { $0.contains("\"event\":\"alert\"") }.map {
        $0.contains("\"state\":\"firing\"") ? "firing" : "resolved"
      }
    }
    try await eventually("an alert", state: { aggregator.state }) { states() == ["firing"] ? () : nil }
    // Nothing but a probe is left: no source moves bytes.
    try folder.write("[t]\ntype=ping\nhost=127.0.0.1\n", to: "monitors")
    try await reload(aggregator)
    try await eventually("its end", state: { aggregator.state }) {
      states() == ["firing", "resolved"] ? () : nil
    }
    client.process.signal(SIGKILL)
    try await aggregator.stop()
    try await server.finish()
  }
}
