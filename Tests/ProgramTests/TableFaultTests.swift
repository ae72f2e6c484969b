import Foundation
import Lab
import Testing

/// The connection table cannot be read for longer than ten reports: all else goes on, and nothing is counted twice.
@Suite(.needs(.namespaces), .serialized, .timeLimit(.minutes(10)))
struct TableFaultTests {
  private func change(_ wish: String, _ program: Reporter, _ host: NetworkNamespace) async throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/netlink_fault.py").path
    try await host.run(["python3", file, "\(try program.sensor().pid)", wish])
  }

  private func warnings(_ program: Reporter) -> [String] {
    program.process.output.lines.compactMap {
      $0.firstMatch(of: #/"state":"([a-z]+)","code":"unread_table"/#).map { String($0.output.1) }
    }
  }

  /// A host whose connections are counted, with nothing else on the wire.
  private func topology() async throws -> Topology {
    let lab = try await Topology()
    for host in [lab.a, lab.b] { try await host.setSysctl("net.ipv6.conf.all.disable_ipv6", to: "1") }
    try await lab.a.trackConnections()
    return lab
  }

  /// As the configuration is from the start, or after its pipe was taken out.
  @Test(arguments: [false, true])
  func `a monitor alone that fails makes no reports, as none would be true`(hadPipe: Bool) async throws {
    let lab = try await topology()
    // Of a table that is empty nothing is asked.
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic("tcp 10.77.1.2 \(try await server.ready()) --send 1000 --hold", in: lab.a)
    _ = try await client.counted()
    let folder = try ScratchFolder()
    let monitor = "[m]\ntype=monitor\n"
    let pipe = "[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n"
    try folder.write(hadPipe ? monitor + pipe : monitor, to: "monitors")
    let aggregator = try Reporter(
      ["--auto-group", "--monitor-config", "\(folder.path)/monitors"], program: "runaggregator", in: lab.a)
    try await aggregator.report("a first report")
    if hadPipe {
      try folder.write(monitor, to: "monitors")
      aggregator.process.signal(SIGHUP)
      try await aggregator.process.errors.first("a note", from: 0) {
        $0.contains("configuration read again") ? () : nil
      }
    }
    try await change("break", aggregator, lab.a)
    try await eventually("a warning", state: { aggregator.state }) {
      warnings(aggregator).last == "firing" ? () : nil
    }
    try await change("repair", aggregator, lab.a)
    try await eventually("no warning", state: { aggregator.state }) {
      warnings(aggregator).last == "resolved" ? () : nil
    }
    try await aggregator.nextReport()
    try await aggregator.stop()
    try await client.finish()
    try await server.finish()
    // Between the two warnings there is none.
    let events = aggregator.process.output.lines.drop {
      !$0.contains(#""state":"firing","code":"unread_table""#)
    }
    let meanwhile = events.prefix { !$0.contains(#""state":"resolved","code":"unread_table""#) }
    #expect(!meanwhile.isEmpty && !meanwhile.contains { $0.contains(#""event":"usage""#) }, "\(meanwhile)")
    #expect(try aggregator.reports().dropFirst().allSatisfy { $0.interval != nil })
  }

  @Test func `pipes, rules and output go on, and what moved meanwhile is counted once`() async throws {
    let lab = try await topology()
    let folder = try ScratchFolder()
    try folder.write(
      "[m]\ntype=monitor\n[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n", to: "monitors")
    let drip = try await folder.copy(Program.traffic, as: "drip")
    let sender = "[sender]\nprocess_filter=^drip\nout_threshold=1\ninterval=1\n"
    let rules = try folder.write(sender, to: "rules")
    let aggregator = try Reporter(
      ["--auto-group", "--monitor-config", "\(folder.path)/monitors", "--notification-config", rules],
      program: "runaggregator", in: lab.a)
    try await aggregator.report("a first report")
    func alerts() throws -> [String] {
      try aggregator.events("alert").map { "\($0["rule"] ?? "") \($0["state"] ?? "")" }
    }
    func alerts(_ wanted: [String]) async throws {
      try await eventually("\(wanted)", state: { aggregator.state }) { try alerts() == wanted ? () : nil }
    }
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let held = try PipePeer("hold", target: "-", ["1", "1"], in: lab.a)
    try await held.said("open")
    let server = try Traffic("tcp-serve", in: lab.b)
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(try await server.ready()) --send 400000 --after 300000 --gate --hold --exec "
        + Program.traffic, in: lab.a)
    _ = try await client.counted()
    let before = try await aggregator.report("the client and the pipe") {
      $0.row(named: "traffic")?.sent ?? 0 > 400_000 && $0.row(named: "pipe-8080:127.0.0.1:9000") != nil
    }
    let seen = try #require(before.row(named: "traffic")?.usage)
    // It waits for an answer now and then.
    let sink = try Traffic("udp-serve", in: lab.b)
    let dripping = try lab.a.start(
      [drip]
        + "udp 10.77.1.2 \(try await sink.ready()) --count 1000000 --size 1000 --rate 100000".split(
          separator: " "
        ).map(String.init)
    )
    try await alerts(["sender firing"])

    try await change("break", aggregator, lab.a)
    try await eventually("a warning", state: { aggregator.state }) {
      warnings(aggregator).last == "firing" ? () : nil
    }
    client.go()
    _ = try await client.counts(2)
    // What is not known of the sender ends nothing, and the pipe is judged.
    try folder.write(
      sender + "[pipe]\nprocess_filter=^pipe-8080\nout_threshold=0.01\ninterval=1\n", to: "rules")
    aggregator.process.signal(SIGHUP)
    try await alerts(["sender firing", "pipe firing"])
    // So many reports that the pipe has moved more in fifteen of them: on a busy machine not in each.
    let count = try aggregator.reports().count
    let during = try await eventually("reports", state: { aggregator.state }) {
      let reports = try aggregator.reports().dropFirst(count + 1)
      let moved = Set(reports.map { $0.row(named: "pipe-8080:127.0.0.1:9000")?.sent ?? 0 })
      return moved.count > 15 ? reports : nil
    }
    #expect(during.allSatisfy { $0.row(named: "traffic")?.usage == seen })
    #expect(aggregator.process.status == nil && held.process.status == nil)
    #expect(try alerts() == ["sender firing", "pipe firing"])

    try await change("repair", aggregator, lab.a)
    let after = try await aggregator.report("the rest") { $0.row(named: "traffic")?.sent ?? 0 > 700_000 }
    // Less than twice what came meanwhile, with all headers.
    #expect((after.row(named: "traffic")?.sent ?? 0) < 800_000)
    #expect(warnings(aggregator).suffix(2) == ["firing", "resolved"])
    #expect(after.health["failed_reads"] ?? 0 > 10)
    try await dripping.stop(SIGKILL)
    try await held.finished()
    try await client.finish()
    try await aggregator.stop()
    #expect(try aggregator.reports().allSatisfy { $0.balance.sum == $0.balance.total.view })
    try await server.finish()
  }
}
