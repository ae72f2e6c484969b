import Foundation
import Glibc
import Lab
import Testing

/// --enable-tracking: what it changes, and that exactly this is undone.
@Suite(.needs(.namespaces), .serialized, .timeLimit(.minutes(10)))
struct TrackingTests {
  private func settings(_ namespace: NetworkNamespace) async throws -> (accounting: String, rules: String) {
    (
      try await namespace.sysctl("net.netfilter.nf_conntrack_acct"),
      try await namespace.run("nft list ruleset")
    )
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func `it is on while the program runs and off afterwards`(signal: Int32) async throws {
    let lab = try await Topology()
    let monitor = try Reporter(["--enable-tracking"], in: lab.a)
    try await monitor.report("a first report")
    let during = try await settings(lab.a)
    #expect(during.accounting == "1")
    #expect(during.rules.contains("table inet"))
    #expect(
      monitor.process.errors.text.contains(
        "nf_conntrack_acct=1 (was 0); connections that exist already count with the payload of their sockets, "
          + "TCP's within 0.5 %"))
    #expect(monitor.process.errors.text.contains("nft"))
    let traffic = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 3000000").run(in: lab)
    let truth = try await lab.viewOfA()
    try await monitor.report("\(truth)") { $0.usage(pid: traffic.client.pid) == truth }
    try await traffic.finish()
    #expect(try await monitor.process.stop(signal) == .exited(0))
    let said = monitor.process.errors.text
    #expect(said.contains("nf_conntrack_acct=0 again"))
    #expect(said.contains("removed nft table inet"))
    let after = try await settings(lab.a)
    #expect(after.accounting == "0")
    #expect(after.rules.isEmpty)
  }

  @Test func `count is an end like any other`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.run([Program.path("runmonitor"), "--enable-tracking", "--count", "1"])
    let after = try await settings(namespace)
    #expect(after.accounting == "0")
    #expect(after.rules.isEmpty)
  }

  /// On a host as Debian installs it: nothing is tracked, nothing counted.
  @Test func `the first command of README measures, as it stands`() async throws {
    let readme = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
    let lines = try String(contentsOf: readme, encoding: .utf8).split(separator: "\n")
    let line = try #require(lines.first { $0.hasPrefix("sudo run") })
    let words = line.prefix { $0 != "#" }.split(separator: " ").dropFirst().map(String.init)
    #expect(words == ["runmonitor", "--enable-tracking"])
    let lab = try await Topology()
    let child = try lab.a.start([Program.path(words[0])] + words.dropFirst() + ["--interval", "0.1"])
    try await eventually("tracking", state: { child.errors.text }) {
      try await settings(lab.a).rules.isEmpty ? nil : ()
    }
    let traffic = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 30000").run(in: lab)
    // The row's name is cut where the path of this checkout is long.
    func sent(_ line: String) -> Int {
      line.split(separator: " ").dropFirst(2).first.flatMap { Int($0) } ?? 0
    }
    try await eventually("a row of the client", state: { child.output.text + child.errors.text }) {
      child.output.lines.contains { sent($0) > 10000 && $0.contains("-- /") } ? () : nil
    }
    try await traffic.finish()
    #expect(try await child.stop() == .exited(0))
  }

  @Test func `what was on before stays on`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    let before = try await settings(namespace)
    try await namespace.run([Program.path("runmonitor"), "--enable-tracking", "--count", "1"])
    let after = try await settings(namespace)
    #expect(after.accounting == "1")
    #expect(after.rules == before.rules)
  }

  @Test func `the table goes with the process, also when it is killed`() async throws {
    let namespace = try await NetworkNamespace()
    let monitor = try Reporter(["--enable-tracking"], in: namespace)
    try await monitor.report("a first report")
    #expect(try await !settings(namespace).rules.isEmpty)
    #expect(try await monitor.process.stop(SIGKILL) == .signalled(SIGKILL))
    try await eventually("an empty ruleset") { try await settings(namespace).rules.isEmpty ? () : nil }
  }

  @Test func `it stays on if asked, and a second time changes nothing`() async throws {
    let namespace = try await NetworkNamespace()
    let command = [
      Program.path("runmonitor"), "--enable-tracking", "--keep-tracking", "--count", "1", "--format", "json",
    ]
    try await namespace.run(command)
    let first = try await settings(namespace)
    #expect(first.accounting == "1")
    #expect(first.rules.contains("table inet"))
    try await namespace.run(command)
    let second = try await settings(namespace)
    #expect(second == first)
  }

  @Test func `a table of that name that another process owns is reported as that`() async throws {
    let namespace = try await NetworkNamespace()
    let owner = try namespace.start(["nft", "-i"])
    owner.write("add table inet bwmon { flags owner; }\n")
    try await eventually("the table") { try await settings(namespace).rules.contains("bwmon") ? () : nil }
    let monitor = try namespace.start([
      Program.path("runmonitor"), "--enable-tracking", "--keep-tracking", "--count", "1",
    ])
    #expect(try await monitor.ended() == .exited(75))
    let said = monitor.errors.text
    #expect(said.contains("the nft table inet bwmon belongs to another process"), "\(said)")
    #expect(!said.contains("as root"), "\(said)")
    #expect(try await settings(namespace).accounting == "0")
    try await owner.stop()
  }

  /// On the loopback, a piece now and then.
  private func traffic(_ host: NetworkNamespace) throws -> ChildProcess {
    try host.start(["ping", "-q", "-i", "0.05", "-s", "8000", "127.0.0.1"])
  }

  @Test(arguments: ["runmonitor", "runaggregator"])
  func `tracking that ends in the middle is said, and taken back when it returns`(program: String)
    async throws
  {
    let host = try await NetworkNamespace()
    try await host.trackConnections()
    let monitor = try Reporter(program: program, in: host)
    let noise = try traffic(host)
    // Some seconds: only what was tracked for a while can be known to be so no longer.
    try await monitor.report("tracked bytes") { $0.balance.total.received > 800_000 }
    func said() -> [String] {
      monitor.process.output.lines.compactMap {
        $0.firstMatch(of: #/"state":"([a-z]+)","code":"tracking_ended"/#).map { String($0.output.1) }
      }
    }
    try await host.run("nft flush ruleset")
    try await eventually("a warning", state: { monitor.state }) { said() == ["firing"] ? () : nil }
    try await host.trackConnections()
    try await eventually("its end", state: { monitor.state }) { said().count == 2 ? () : nil }
    #expect(said() == ["firing", "resolved"])
    let errors = monitor.process.errors.text
    #expect(errors.contains("--enable-tracking") && errors.contains("connections are tracked again"))
    try await monitor.stop()
    try await noise.stop()
  }

  @Test func `the program's own rule survives that another flushes all`() async throws {
    let host = try await NetworkNamespace()
    let monitor = try Reporter(["--enable-tracking"], in: host)
    try await monitor.report("a first report")
    try await host.run("nft flush ruleset")
    #expect(try await settings(host).rules.contains("table inet bwmon_"))
    let noise = try traffic(host)
    try await monitor.report("tracked bytes") { $0.balance.total.received > 100_000 }
    try await monitor.stop()
    try await noise.stop()
  }

  @Test func `two at a time do not harm each other`() async throws {
    let namespace = try await NetworkNamespace()
    let first = try Reporter(["--enable-tracking"], in: namespace)
    try await first.report("a first report")
    let second = try Reporter(["--enable-tracking"], in: namespace)
    try await second.report("a first report")
    try await second.stop()
    try await first.nextReport()
    #expect(try await settings(namespace).accounting == "1")
    #expect(try await settings(namespace).rules.contains("table inet"))
    try await first.stop()
    #expect(try await settings(namespace).accounting == "0")
    #expect(try await settings(namespace).rules.isEmpty)
  }
}
