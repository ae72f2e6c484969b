import Foundation
import Lab
import Testing

/// A sensor that is killed after it has turned accounting on, and before it could say that it measures.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(5)))
struct SensorUndoTests {
  struct Death: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// When the stand-in kills it.
    var when: String
    var ending: ProcessStatus
  }

  @Test(arguments: [
    Death(testDescription: "the first one", when: "start", ending: .exited(69)),
    Death(testDescription: "the first one, and the hub", when: "hub", ending: .signalled(SIGKILL)),
    Death(testDescription: "one that was started again", when: "restart", ending: .exited(0)),
  ]) func `what it changed is undone`(death: Death) async throws {
    let host = try await NetworkNamespace()
    try await host.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let folder = try ScratchFolder()
    let program = try await folder.copy(Program.path("runaggregator"), as: "runaggregator")
    let proxy = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "Fixtures/sensor_proxy.py")
    _ = try await folder.write(
      program: "#!/bin/sh\nexec /usr/bin/python3 \(proxy.path) \(Program.path("runmonitor")) \(death.when)\n",
      to: "runmonitor")
    let aggregator = Reporter(
      process: try host.start([program, "--format", "json", "--interval", "0.1", "--enable-tracking"]))
    let killed = death.when == "restart" ? 2 : 1
    try await aggregator.process.errors.first("the death", from: 0) {
      $0.contains("sensor \(killed) is killed, accounting is 1") ? () : nil
    }
    if death.when == "restart" {
      try await eventually("a third sensor", state: { aggregator.state }) {
        aggregator.process.output.lines.contains {
          $0.contains("\"code\":\"sensor_lost\"") && $0.contains("resolved")
        } ? () : nil
      }
      #expect(try await host.sysctl("net.netfilter.nf_conntrack_acct") == "1")
      try await aggregator.stop()
    }
    #expect(try await aggregator.process.ended() == death.ending, "\(aggregator.state)")
    try await eventually("tracking off", state: { aggregator.state }) {
      let isOff = try await host.sysctl("net.netfilter.nf_conntrack_acct") == "0"
      let rules = try await host.run("nft list ruleset")
      return isOff && !rules.contains("bwmon") ? () : nil
    }
    #expect(!aggregator.process.errors.text.contains("stays 1"), "\(aggregator.state)")
  }
}
