import Foundation
import Lab
import Testing

/// runaggregator's sensor fails in all the ways that a process can: all else goes on, nothing is counted twice, a gap is said.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct SensorTests {
  private func aggregator(_ flags: [String] = [], in lab: Topology) throws -> Reporter {
    try Reporter(["--auto-group"] + flags, program: "runaggregator", in: lab.a)
  }

  /// A connection of another host's server that moves what it is told to.
  private func traffic(_ line: String, in lab: Topology) async throws -> (client: Traffic, server: Traffic) {
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic(line.replacing("PORT", with: "\(try await server.ready())"), in: lab.a)
    return (client, server)
  }

  @Test func `one that is killed is started again: totals go on, nothing counts twice, the gap is said`()
    async throws
  {
    let lab = try await MonitorAccountingTests.readyTopology()
    let aggregator = try aggregator(in: lab)
    try await aggregator.report("a first report")
    let (first, server) = try await traffic("tcp 10.77.1.2 PORT --send 300000 --hold", in: lab)
    _ = try await first.counted()
    let truth = try await lab.viewOfA()
    let before = try await aggregator.report("\(truth)") { $0.balance.total.view == truth }
    let row = try #require(before.row(named: "traffic"))
    let killed = try aggregator.sensor().pid
    kill(killed, SIGKILL)
    try await eventually("another sensor", state: { aggregator.state }) {
      aggregator.warnings("sensor_lost") == ["firing", "resolved"] ? () : nil
    }
    #expect(try aggregator.sensor().pid != killed)
    #expect(aggregator.process.errors.text.contains("signal 9"))
    #expect(aggregator.process.errors.text.contains("is not counted"))
    let after = try await aggregator.nextReport()
    #expect(after.row(named: "traffic")?.usage == row.usage && after.balance.total.view == truth)
    #expect(after.interval != nil && after.health["failed_reads"] ?? 0 > 0)
    // What moves then counts, and the end of a process that only the first sensor saw is reported.
    let (second, other) = try await traffic("tcp 10.77.1.2 PORT --send 200000 --hold", in: lab)
    _ = try await second.counted()
    let all = try await lab.viewOfA()
    try await aggregator.report("\(all)") { $0.balance.total.view == all }
    try await first.finish()
    try await aggregator.report("one process") { $0.row(named: "traffic")?.pids == [second.pid] }
    try await aggregator.stop()
    try await second.finish()
    for server in [server, other] { try await server.finish() }
    #expect(try aggregator.reports().dropFirst().allSatisfy { $0.interval != nil })
    #expect(try aggregator.reports().allSatisfy { $0.balance.sum == $0.balance.total.view })
  }

  @Test func `one that is stopped delays no pipe, and what moved meanwhile is counted`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    try folder.write(
      "[m]\ntype=monitor\n[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n", to: "monitors")
    let aggregator = try aggregator(["--monitor-config", "\(folder.path)/monitors"], in: lab)
    try await aggregator.report("a first report")
    let sensor = try aggregator.sensor().pid
    kill(sensor, SIGSTOP)
    let (client, server) = try await traffic("tcp 10.77.1.2 PORT --send 300000 --hold", in: lab)
    _ = try await client.counted()
    try await eventually("a warning", state: { aggregator.state }) {
      aggregator.warnings("unread_table").last == "firing" ? () : nil
    }
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let held = try PipePeer("hold", target: "-", ["1", "1"], in: lab.a)
    try await held.said("open")
    try await aggregator.report("the pipe goes on") { $0.row(named: "pipe-8080:127.0.0.1:9000") != nil }
    kill(sensor, SIGCONT)
    try await eventually("no warning", state: { aggregator.state }) {
      aggregator.warnings("unread_table").last == "resolved" ? () : nil
    }
    try await aggregator.report("the client") { $0.row(named: "traffic")?.sent ?? 0 > 300_000 }
    #expect(try aggregator.sensor().pid == sensor)
    try await held.finished()
    try await client.finish()
    try await aggregator.stop()
    try await server.finish()
  }

  @Test func `one that always answers late is reported, and what it counted`() async throws {
    let host = try await NetworkNamespace()
    let folder = try ScratchFolder()
    let program = try await folder.copy(Program.path("runaggregator"), as: "runaggregator")
    let fixture = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "Fixtures/wrong_sensor.py")
    let gate = "\(folder.path)/gate"
    try await run(["mkfifo", gate])
    // Open for both: neither end waits for the other.
    let opener = try #require(FileHandle(forUpdatingAtPath: gate))
    let path = try folder.write(
      "#!/bin/sh\nexec /usr/bin/python3 \(fixture.path) slow \(gate)\n", to: "runmonitor")
    try await run(["chmod", "755", path])
    let aggregator = Reporter(
      process: try host.start([program, "--format", "json", "--interval", "0.1"]))
    try await aggregator.report("the first answer") { $0.balance.total.sent == 9 }
    // Each later one comes after the report has gone on without it, and none is left out or counts twice.
    for answer in UInt64(1)...3 {
      try await eventually("a warning", state: { aggregator.state }) {
        aggregator.warnings("unread_table").filter { $0 == "firing" }.count == Int(answer) ? () : nil
      }
      try opener.write(contentsOf: Data([1]))
      try await aggregator.report("answer \(answer)") { $0.balance.total.sent == 9 * (answer + 1) }
    }
    #expect(aggregator.warnings("sensor_lost").isEmpty)
    opener.write(Data([1, 1, 1]))
    try await aggregator.stop()
  }

  @Test func `a stopped one is not waited for for ever, and undoes what it changed`() async throws {
    let lab = try await Topology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let aggregator = try aggregator(["--enable-tracking"], in: lab)
    try await aggregator.report("a first report")
    kill(try aggregator.sensor().pid, SIGSTOP)
    // The last report lacks what it counted; it goes on to undo what it changed.
    #expect(try await aggregator.process.stop() == .exited(75))
    #expect(!aggregator.process.errors.text.contains("stays 1"), "\(aggregator.process.errors.text)")
    #expect(try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "0")
    #expect(!(try await lab.a.run("nft list ruleset").contains("bwmon")))
  }

  @Test func `a reload that fails leaves no sensor behind`() async throws {
    let host = try await NetworkNamespace()
    try await host.trackConnections()
    let folder = try ScratchFolder()
    func pipe(_ port: Int) -> String {
      "[p\(port)]\ntype=pipe\nport=\(port)\nnewhost=127.0.0.1\nnewport=9000\n"
    }
    try folder.write(pipe(8080), to: "monitors")
    let other = try Reporter(
      ["--monitor-config", try folder.write(pipe(8081), to: "other")], program: "runaggregator", in: host)
    try await other.report("a first report")
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"], program: "runaggregator", in: host)
    try await aggregator.report("a first report")
    try folder.write(pipe(8080) + pipe(8081) + "[m]\ntype=monitor\n", to: "monitors")
    aggregator.process.signal(SIGHUP)
    _ = try await aggregator.process.errors.first("why not") { $0.contains("stays in force") ? $0 : nil }
    #expect(throws: LabError.self) { try aggregator.sensor() }
    let report = try await aggregator.nextReport()
    #expect(report.layer == "payload")
    try await aggregator.stop()
    try await other.stop()
  }

  @Test func `a SIGHUP while it is started again is obeyed`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    try folder.write("[m]\ntype=monitor\n", to: "monitors")
    let aggregator = try aggregator(["--monitor-config", "\(folder.path)/monitors"], in: lab)
    try await aggregator.report("a first report")
    let (client, server) = try await traffic(
      "tcp 10.77.1.2 PORT --send 30000000 --rate 100000 --hold", in: lab)
    try await aggregator.report("the client") { $0.row(named: "traffic") != nil }
    try folder.write("[m]\ntype=monitor\nexclude=traffic\n", to: "monitors")
    // There is no other one until the process that starts it goes on.
    let (sensor, launcher) = try aggregator.sensor()
    kill(launcher, SIGSTOP)
    kill(sensor, SIGKILL)
    try await eventually("the loss", state: { aggregator.state }) {
      aggregator.warnings("sensor_lost").last == "firing" ? () : nil
    }
    aggregator.process.signal(SIGHUP)
    try await aggregator.process.errors.first("the reload", from: 0) { $0.contains("read again") ? () : nil }
    #expect(aggregator.warnings("sensor_lost") == ["firing"])
    kill(launcher, SIGCONT)
    try await aggregator.report("bytes that are hidden") { $0.balance.hidden.view.sent > 0 }
    client.process.signal(SIGKILL)
    try await aggregator.stop()
    try await server.finish()
  }

  @Test(arguments: ["hub", "sensor", "both", "launcher", "nobody: SIGTERM to all", "nobody: SIGINT to all"])
  func `tracking is undone whatever is killed`(victim: String) async throws {
    let lab = try await Topology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let aggregator = try aggregator(["--enable-tracking"], in: lab)
    try await aggregator.report("a first report")
    #expect(try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "1")
    let sensor = try aggregator.sensor()
    switch victim {
    case "hub", "launcher":
      // A sensor without a launcher works on, and ends as any.
      kill(victim == "hub" ? aggregator.process.pid : sensor.launcher, SIGKILL)
      if victim == "launcher" {
        try await aggregator.nextReport()
        try await aggregator.stop()
      }
    case _ where victim.hasPrefix("nobody"):
      // As systemd and a terminal end a program.
      for pid in [sensor.launcher, sensor.pid, aggregator.process.pid] {
        kill(pid, victim.contains("TERM") ? SIGTERM : SIGINT)
      }
      #expect(try await aggregator.process.ended() == .exited(0))
      // Two lines of what was changed, two of what was undone.
      #expect(aggregator.process.complaints.count == 4, "\(aggregator.process.complaints)")
    default:
      kill(sensor.pid, SIGKILL)
      try await eventually("another sensor", state: { aggregator.state }) {
        aggregator.warnings("sensor_lost") == ["firing", "resolved"] ? () : nil
      }
      #expect(try await lab.a.run("nft list ruleset").contains("bwmon"))
      if victim == "both" { kill(aggregator.process.pid, SIGKILL) } else { try await aggregator.stop() }
    }
    try await eventually("tracking off", state: { aggregator.state }) {
      let isOff = try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "0"
      let rules = try await lab.a.run("nft list ruleset")
      return isOff && !rules.contains("bwmon") ? () : nil
    }
  }

  @Test func `a hub that stands still loses nothing`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let aggregator = try aggregator(in: lab)
    try await aggregator.report("a first report")
    aggregator.process.signal(SIGSTOP)
    var clients: [(client: Traffic, server: Traffic)] = []
    for _ in 0..<20 {
      let pair = try await traffic("tcp 10.77.1.2 PORT --send 100000", in: lab)
      _ = try await pair.client.counted()
      try await pair.client.finish()
      clients.append(pair)
    }
    let truth = try await lab.viewOfA()
    aggregator.process.signal(SIGCONT)
    let report = try await aggregator.report("\(truth)") { $0.balance.total.view == truth }
    #expect(report.balance.sum == truth && report.row(named: "traffic")?.usage == truth, "\(report.rows)")
    #expect(aggregator.warnings("sensor_lost").isEmpty)
    try await aggregator.stop()
    for pair in clients { try await pair.server.finish() }
  }
}
