import Foundation
import Lab
import Testing

/// How runaggregator takes up probes: their files, a reload, names, privileges, and what it counts beside them.
@Suite(.needs(.namespaces, .tun), .serialized, .timeLimit(.minutes(10)))
struct AggregatorProbesSetupTests {
  private typealias Event = Reporter.Event

  @Test func `a table has a line of the targets`() async throws {
    let stage = try await ProbesStage()
    let monitors = try stage.monitors(
      ["gw 10.9.0.5", "off 10.9.0.6"],
      more: "[way]\ntype=trace\nhost=10.9.0.7\ninterval=0.2\nhops=4\n"
        + "[cut]\ntype=trace\nhost=10.9.0.8\ninterval=0.2\nhops=1\n")
    try await stage.network.set("target 10.9.0.6 echo off")
    let aggregator = try stage.lab.a.start([
      Program.path("runaggregator"), "--format", "table", "--interval", "0.2", "--monitor-config", monitors,
    ])
    try await aggregator.output.first("the targets") {
      $0.contains("probes: off down · cut not reached · gw 0.0 % loss ") && $0.contains(" ms · way 2 hops")
        ? () : nil
    }
    #expect(try await aggregator.stop() == .exited(0))
  }

  @Test func `SIGHUP adds and removes probes; a wrong file leaves them as they are`() async throws {
    let stage = try await ProbesStage()
    let aggregator = try stage.start(
      try stage.monitors(["gw 10.9.0.5", "old 10.9.0.6"]), rules: "[r]\ndown=yes\nCOMMAND\n")
    try await stage.network.set("target 10.9.0.6 echo off")
    try await aggregator.event("alert", "of the old one") { $0["subject"] as? String == "old" }
    _ = try stage.monitors(["gw 10.9.0.5 count=none"])
    aggregator.process.signal(SIGHUP)
    try await aggregator.process.errors.first("why not") {
      $0.contains("monitors.cfg:7: ") && $0.contains("stays in force") ? () : nil
    }
    try await aggregator.rounds(2, of: ["gw"], loss: 0)
    try await aggregator.rounds(2, of: ["old"], loss: 100)
    _ = try stage.monitors(["gw 10.9.0.5", "new 10.9.0.7"])
    aggregator.process.signal(SIGHUP)
    try await aggregator.rounds(2, of: ["gw", "new"], loss: 0)
    let gone = try await aggregator.event("alert", "the end") { $0["state"] as? String == "resolved" }
    #expect(gone["subject"] as? String == "old" && gone["reason"] as? String == "gone")
    let last = try #require(
      try aggregator.events("probe").lastIndex { $0["target"] as? String == "old" })
    try await aggregator.rounds(3, of: ["gw", "new"], loss: 0)
    #expect(
      try aggregator.events("probe").lastIndex { $0["target"] as? String == "old" } == last)
    try await aggregator.stop()
  }

  @Test func `probes that cannot be started are said, tried again, and delay nothing`() async throws {
    let stage = try await ProbesStage()
    let aggregator = try stage.start(try stage.monitors([]))
    try await aggregator.report("a first report")
    let pid = aggregator.process.pid
    // A file can be read, and no more: of the numbers below the limit one is free.
    let used = Set(
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").compactMap(Int.init))
    let free = (0...).lazy.filter { !used.contains($0) }.prefix(2)
    try await run(["prlimit", "--pid", "\(pid)", "--nofile=\(try #require(Array(free).last)):"])
    _ = try stage.monitors(["gw 10.9.0.5"])
    aggregator.process.signal(SIGHUP)
    let said = try await aggregator.event("warning", "that nothing is probed") {
      $0["code"] as? String == "unprobed" && $0["state"] as? String == "firing"
    }
    #expect((said["text"] as? String)?.contains("Too many open files") == true, "\(said)")
    try await aggregator.nextReport()
    try await run(["prlimit", "--pid", "\(pid)", "--nofile=1024:"])
    try await aggregator.event("warning", "its end") {
      $0["code"] as? String == "unprobed" && $0["state"] as? String == "resolved"
    }
    try await aggregator.rounds(2, of: ["gw"], loss: 0)
    #expect(try aggregator.events("warning").count { $0["code"] as? String == "unprobed" } == 2)
    try await aggregator.stop()
  }

  @Test func `a name without an address is a warning, and probed once it has one`() async throws {
    let stage = try await ProbesStage()
    let folder = "/etc/netns/\(stage.lab.a.name)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let hosts = "\(folder)/hosts"
    // What is mounted over /etc/hosts must stay the same file.
    func write(_ text: String) throws {
      let file = try FileHandle(forWritingTo: URL(filePath: hosts))
      try file.write(contentsOf: Data(text.utf8))
      try file.close()
    }
    _ = FileManager.default.createFile(atPath: hosts, contents: Data("127.0.0.1 localhost\n".utf8))
    let aggregator = try stage.start(try stage.monitors(["gw 10.9.0.5", "later later.test"]))
    try await aggregator.process.errors.first("a warning") {
      $0.contains("later.test has no address") ? () : nil
    }
    try await aggregator.rounds(2, of: ["gw"], loss: 0)
    try write("127.0.0.1 localhost\n10.9.0.6 later.test\n")
    aggregator.process.signal(SIGHUP)
    try await aggregator.rounds(2, of: ["gw", "later"], loss: 0)
    try await aggregator.event("warning", "its end") {
      $0["code"] as? String == "probe_name:later" && $0["state"] as? String == "resolved"
    }
    try await aggregator.stop()
  }

  @Test func `without a privilege one line names the sysctl, and bytes are counted`() async throws {
    let stage = try await ProbesStage()
    try await stage.lab.a.setSysctl("net.ipv4.ping_group_range", to: "1 0")
    let aggregator = try stage.start(
      try stage.monitors(
        ["gw 10.9.0.5", "web 10.9.0.6"],
        more: "[way]\ntype=trace\nhost=10.9.0.7\ninterval=0.2\nhops=4\n"
          + "[shop]\ntype=connect\nhost=10.9.0.6\nport=80\ninterval=0.2\n"),
      wrapper: ["setpriv", "--inh-caps=-net_raw", "--bounding-set=-net_raw"])
    try await aggregator.rounds(3, of: ["gw", "web"], loss: 100)
    let backup = try stage.backup()
    let report = try await aggregator.report("the backup") { $0.row(named: "Backup")?.sent ?? 0 > 500_000 }
    #expect(report.balance.sum == report.balance.total.view)
    let lines = aggregator.process.complaints.filter { $0.contains("ICMP") }
    #expect(lines.count == 1, "\(lines)")
    for part in ["sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"", "setcap cap_net_raw+ep"] {
      #expect(lines.first?.contains(part) == true, "\(lines)")
    }
    // What needs no privilege is done.
    try await aggregator.event("probe", "a trace by UDP") {
      $0["kind"] as? String == "trace" && ($0["hops"] as? [Event])?.count == 2
    }
    try await aggregator.event("probe", "a connection") {
      $0["kind"] as? String == "connect" && $0["rtt"] is Double
    }
    try await aggregator.stop()
    backup.process.signal(SIGKILL)
  }

  @Test func `what is counted is the same with probes and without`() async throws {
    let stage = try await ProbesStage()
    let aggregator = try stage.start(try stage.monitors(["gw 10.9.0.5", "web 10.9.0.6"]))
    try await aggregator.rounds(2, of: ["gw", "web"], loss: 0)
    let sender = try Traffic(
      "tcp 10.77.1.2 \(stage.port) --send 300000 --hold --note backup", in: stage.lab.a)
    _ = try await sender.counted()
    let report = try await aggregator.report("all of it") { $0.row(named: "Backup")?.sent ?? 0 > 300_000 }
    #expect(report.balance.sum == report.balance.total.view)
    // The program's own pings are not shown.
    #expect(report.rows.allSatisfy { !$0.name.contains("runaggregator") })
    try await aggregator.stop()
    try await sender.finish()
  }

  @Test(arguments: [
    ("[gw]\ntype=ping\n", "m.cfg:1: "), ("[gw]\ntype=ping\nhost=a b\n", "m.cfg:3: "),
    ("[gw]\ntype=ping\nhost=::1\ncuont=3\n", "m.cfg:4: unknown key \"cuont\" in [gw] (did you mean count?)"),
    ("[gw]\ntype=ping\nhost=::1\nport=3\n", "m.cfg:4: port belongs to type=connect, not to type=ping"),
    ("[gw]\ntype=connect\nhost=::1\n", "m.cfg:1: [gw] needs port"),
    ("[gw]\ntype=ping\nhost=::1\ninterval=0\n", "m.cfg:4: interval=\"0\" must be"),
    ("[gw]\ntype=ping\nhost=::1\nreference=maybe\n", "m.cfg:4: reference="),
    (
      "[gw]\ntype=trace\nhost=::1\nreference=yes\n",
      "m.cfg:4: reference=yes needs an answer that a trace does not give: remove it, or write type=ping"
    ),
    ("[local connectivity]\ntype=ping\nhost=::1\n", "m.cfg:1: [local connectivity] is what an outage"),
    ("[gw]\ntype=pong\nhost=::1\n", "m.cfg:2: unknown type pong"),
  ])
  func `a wrong probe is refused with its line`(text: String, expected: String) async throws {
    let folder = try ScratchFolder()
    try await expectRefusal("--monitor-config", try folder.write(text, to: "m.cfg"), expected)
  }

  @Test(arguments: [
    ("[r]\nloss_threshold=many\n", "n.cfg:2: loss_threshold=\"many\" must be a number from 0 to 100, in %"),
    ("[r]\ndown=yes\nlos_clear=2\n", "n.cfg:3: unknown key \"los_clear\" in [r] (did you mean loss_clear?)"),
    ("[r]\nprobe_filter=gw\n", "n.cfg:1: [r] has no limit for probes"),
    ("[r]\nroute_change=perhaps\n", "n.cfg:2: route_change="),
    ("[r]\ndown=yes\nprobe_filter=(\n", "n.cfg:3: probe_filter: the regular expression is wrong"),
    ("[r]\nin_threshold=5\nrtt_clear=2\n", "n.cfg:3: rtt_clear needs a limit"),
  ])
  func `a wrong limit is refused with its line`(text: String, expected: String) async throws {
    let folder = try ScratchFolder()
    try await expectRefusal("--notification-config", try folder.write(text, to: "n.cfg"), expected)
  }

  private func expectRefusal(_ flag: String, _ file: String, _ expected: String) async throws {
    let process = try ChildProcess([Program.path("runaggregator"), "--check-config", flag, file])
    #expect(try await process.ended() == .exited(78))
    #expect(process.errors.text.contains(expected), "\(process.errors.text)")
    #expect(process.errors.lines.count == 1)
  }
}
