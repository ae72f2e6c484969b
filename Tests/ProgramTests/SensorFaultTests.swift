import Foundation
import Lab
import Testing

/// A sensor that does not answer any more, and one whose hub says what it should not.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(15)))
struct SensorFaultTests {
  private static let hub = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "Fixtures/wrong_hub.py"
  ).path

  @Test func `one that does not answer for a minute is ended, and another one counts what moves then`()
    async throws
  {
    let lab = try await Topology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let aggregator = try Reporter(
      ["--auto-group", "--enable-tracking"], program: "runaggregator", in: lab.a)
    try await aggregator.report("a first report")
    let stopped = try aggregator.sensor().pid
    kill(stopped, SIGSTOP)
    try await eventually("another sensor", state: { aggregator.state }) {
      aggregator.warnings("sensor_lost") == ["firing", "resolved"] ? () : nil
    }
    #expect(aggregator.process.errors.text.contains("did not answer for a minute"), "\(aggregator.state)")
    #expect(try aggregator.sensor().pid != stopped)
    let traffic = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 300000").run(in: lab)
    try await aggregator.report("the client") { $0.row(named: "traffic")?.sent ?? 0 > 300_000 }
    try await traffic.finish()
    try await aggregator.stop()
    // What the first changed is undone once, by whoever is left.
    #expect(try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "0")
    #expect(!(try await lab.a.run("nft list ruleset").contains("bwmon")))
  }

  struct Hub: Sendable, CustomTestStringConvertible {
    /// What the stand-in says.
    var testDescription: String
    /// The kinds of the sensor's messages, then how it ended: by a status (0) or a signal (1), and which.
    var answers = "1 6 11 0 0"
  }

  @Test(arguments: [
    Hub(testDescription: "kind"), Hub(testDescription: "long"), Hub(testDescription: "cut"),
    Hub(testDescription: "garbage"), Hub(testDescription: "order"), Hub(testDescription: "version"),
    Hub(testDescription: "gone"),
    // Filters that the hub of the same version would have refused: the old ones hold, and it goes on.
    Hub(testDescription: "filters", answers: "1 6 11 11 0 0"),
    Hub(testDescription: "nothing", answers: "1 0 0"),
    Hub(testDescription: "flags", answers: "1 7 0 0"),
    Hub(testDescription: "settings", answers: "1 0 0"),
  ])
  func `a hub that says what it should not ends the sensor, which undoes what it changed`(hub: Hub)
    async throws
  {
    let host = try await NetworkNamespace()
    try await host.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let child = try host.start([
      "/usr/bin/python3", Self.hub, Program.path("runmonitor"), hub.testDescription,
    ])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
    // The launcher starts the next one as if nothing had been.
    #expect(child.output.lines == [hub.answers, "1 6 0 0"], "\(child.errors.text)")
    #expect(try await host.sysctl("net.netfilter.nf_conntrack_acct") == "0")
    #expect(!(try await host.run("nft list ruleset").contains("bwmon")))
  }
}
