import Foundation
import Lab
import Testing

/// P14, P15: runaggregator's probes of a network of its own, beside what it measures.
@Suite(.needs(.namespaces, .tun), .serialized, .timeLimit(.minutes(10)))
struct AggregatorProbesTests {
  /// A with a server in B to send to, and hosts 10.9.0.2 to 10.9.0.9 behind the router 10.9.1.1.
  private struct Stage {
    let lab: Topology
    let network: FakeNetwork
    let server: Traffic
    let port: Int
    let folder: ScratchFolder
    let command: String

    init() async throws {
      lab = try await Topology()
      try await lab.a.trackConnections()
      let hosts = (2...9).map { "[target 10.9.0.\($0)]\npath = 10.9.1.1\ntcp = open\n" }.joined()
      network = try await FakeNetwork("[network]\naddresses = 10.9.0.1\n[hop 10.9.1.1]\n\(hosts)", in: lab.a)
      server = try Traffic("tcp-serve", in: lab.b)
      port = try await server.ready()
      folder = try ScratchFolder()
      command = try await folder.write(
        program: """
          #!/bin/sh
          dir=$(dirname "$0")
          { env | grep ^BWMON_ | sort; echo "stdin: $(cat)"; } > "$dir/out.$$"
          mv "$dir/out.$$" "$dir/ran.$BWMON_STATE.$BWMON_MEASURE.$$"

          """, to: "notify.sh")
    }

    /// A monitor of everything, and a section for each target: `gw 10.9.0.2 reference=yes`.
    func monitors(_ pings: [String], more: String = "") throws -> String {
      let sections = pings.map { line in
        let words = line.split(separator: " ")
        let keys = (line.contains("count") ? [] : ["count=3"]) + words.dropFirst(2)
        return "[\(words[0])]\ntype=ping\nhost=\(words[1])\ninterval=0.2\n" + keys.map { "\($0)\n" }.joined()
      }
      return try folder.write(
        "[everything]\ntype=monitor\n" + sections.joined() + more, to: "monitors.cfg")
    }

    func start(
      _ monitors: String, rules: String = "", interval: String = "0.2", wrapper: [String] = []
    ) throws -> Reporter {
      let apps = try folder.write("[Backup]\nrule=note backup\n", to: "apps.cfg")
      var flags = ["--monitor-config", monitors, "--app-config", apps]
      if !rules.isEmpty {
        let text = rules.replacing("COMMAND", with: "notification_command=\(command)\non_resolve=yes")
        flags += ["--notification-config", try folder.write(text, to: "rules.cfg")]
      }
      return try Reporter(flags, program: "runaggregator", interval: interval, in: lab.a, wrapper: wrapper)
    }

    /// Something that sends, until it is killed.
    func backup() throws -> Traffic {
      try Traffic("tcp 10.77.1.2 \(port) --rate 400000 --send 1440000000 --note backup", in: lab.a)
    }

    /// What the command has written for a state and measure.
    func run(_ kind: String, of aggregator: Reporter) async throws -> [String] {
      try await eventually("a command for \(kind)", state: { aggregator.state }) {
        try names(kind).first.map { folder.read($0).split(separator: "\n").map(String.init) }
      }
    }

    func names(_ kind: String = "") throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("ran.\(kind)") }
    }
  }

  private typealias Event = [String: Any]

  /// All events of a kind so far.
  private func events(_ kind: String, of aggregator: Reporter) throws -> [Event] {
    try aggregator.process.output.lines.filter { $0.contains("\"event\":\"\(kind)\"") }.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Event)
    }
  }

  /// Waits for an event that is as it should be.
  @discardableResult
  private func event(
    _ kind: String, _ awaited: String, of aggregator: Reporter, where isWanted: (Event) -> Bool
  ) async throws -> Event {
    let found = try await eventually("\(kind): \(awaited)", state: { aggregator.state }) {
      let status = aggregator.process.status
      if let event = try events(kind, of: aggregator).first(where: isWanted) { return [event] }
      if let status {
        throw LabError.failed(
          command: aggregator.process.command, status: "\(status)", output: aggregator.state)
      }
      return nil
    }
    return found[0]
  }

  /// Waits until each target has so many more rounds in which so much is lost.
  private func rounds(
    _ count: Int, of targets: [String], loss: Double, _ aggregator: Reporter
  ) async throws {
    func counted() throws -> [String: Int] {
      let rounds = try events("probe", of: aggregator).filter { $0["loss"] as? Double == loss }
      return Dictionary(grouping: rounds) { $0["target"] as? String ?? "" }.mapValues(\.count)
    }
    let before = try counted()
    try await eventually("\(count) rounds with \(loss) % loss", state: { aggregator.state }) {
      let now = try counted()
      return targets.allSatisfy { now[$0, default: 0] >= before[$0, default: 0] + count } ? () : nil
    }
  }

  @Test func `a path that loses is said once, and so is its end; who moves much elsewhere is not named`()
    async throws
  {
    let stage = try await Stage()
    let aggregator = try stage.start(
      try stage.monitors(["gw 10.9.0.5", "web 10.9.0.6"]), rules: "[path]\nloss_threshold=20 %\nCOMMAND\n",
      interval: "0.5")
    try await rounds(2, of: ["gw", "web"], loss: 0, aggregator)
    let backup = try stage.backup()
    try await aggregator.report("the backup at work") { $0.row(named: "Backup")?.sentRate ?? 0 > 100_000 }
    try await stage.network.set("target 10.9.0.5 loss 100")
    let facts = try await stage.run("firing.loss", of: aggregator)
    for fact in [
      "BWMON_RULE=path", "BWMON_STATE=firing", "BWMON_SUBJECT=gw", "BWMON_ADDRESS=10.9.0.5",
      "BWMON_MEASURE=loss", "BWMON_THRESHOLD=20.00", "BWMON_UNIT=%", "BWMON_COUNT=1",
    ] { #expect(facts.contains(fact), "\(facts)") }
    #expect(!facts.contains { $0.hasPrefix("BWMON_TOP=") && $0 != "BWMON_TOP=" }, "\(facts)")
    let line = #/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: gw exceeding 'loss' limit 20\.00: \d+\.\d\d %/#
    #expect(aggregator.process.errors.lines.contains { $0.wholeMatch(of: line) != nil })
    let said = try await event("alert", "the loss", of: aggregator) { $0["state"] as? String == "firing" }
    #expect(said["measure"] as? String == "loss" && said["subject"] as? String == "gw")
    #expect((said["top"] as? [Event])?.isEmpty == true)
    #expect(said["value"] as? Double ?? 0 > 20)
    try await event("outage", "of the target", of: aggregator) {
      $0["subject"] as? String == "gw" && $0["state"] as? String == "firing"
    }
    try await stage.network.set("target 10.9.0.5 loss 0")
    #expect(try await stage.run("resolved.loss", of: aggregator).contains("BWMON_REASON=below"))
    try await rounds(3, of: ["gw", "web"], loss: 0, aggregator)
    #expect(try events("alert", of: aggregator).map { $0["state"] as? String } == ["firing", "resolved"])
    #expect(try stage.names().count == 2)
    try await aggregator.stop()
    backup.process.signal(SIGKILL)
  }

  @Test func `a round-trip time that rises is said, and an alert of bandwidth carries how the paths are`()
    async throws
  {
    let stage = try await Stage()
    let aggregator = try stage.start(
      try stage.monitors(
        ["gw 10.9.0.5"],
        more: "[shop]\ntype=connect\nhost=10.9.0.6\nport=80\ninterval=0.2\n"
          + "[route]\ntype=trace\nhost=10.9.0.7\ninterval=0.2\nhops=4\n"),
      rules: """
        [slow]
        probe_filter=^gw$
        rtt_threshold=150 ms
        COMMAND
        [much]
        process_filter=Backup
        out_threshold=50
        COMMAND

        """)
    try await rounds(1, of: ["gw"], loss: 0, aggregator)
    try await event("probe", "a connection", of: aggregator) {
      $0["kind"] as? String == "connect" && $0["rtt"] is Double
    }
    try await event("probe", "a trace", of: aggregator) {
      $0["kind"] as? String == "trace" && ($0["hops"] as? [Event])?.count == 2
    }
    let backup = try stage.backup()
    let alert = try await event("alert", "of bandwidth", of: aggregator) { $0["rule"] as? String == "much" }
    let states = try #require(alert["probes"] as? [Event])
    #expect(states.map { $0["name"] as? String } == ["gw", "shop"])
    #expect(states.allSatisfy { $0["up"] as? Bool == true })
    let facts = try await stage.run("firing..", of: aggregator)
    let probes = #/BWMON_PROBES=gw 0\.0 % loss \d+\.\d\d ms; shop \d+\.\d\d ms/#
    #expect(facts.contains { $0.wholeMatch(of: probes) != nil }, "\(facts)")
    backup.process.signal(SIGKILL)
    try await stage.network.set("target 10.9.0.5 delay 300")
    let slow = try await stage.run("firing.rtt", of: aggregator)
    #expect(slow.contains("BWMON_UNIT=ms") && slow.contains("BWMON_SUBJECT=gw"), "\(slow)")
    try await stage.network.set("target 10.9.0.5 delay 0")
    _ = try await stage.run("resolved.rtt", of: aggregator)
    try await aggregator.stop()
  }

  @Test func `P15: what fails together with the reference is one outage, and targets resume without a word`()
    async throws
  {
    let stage = try await Stage()
    let names = ["gw", "a", "b", "c", "d"]
    let aggregator = try stage.start(
      try stage.monitors([
        "gw 10.9.0.2 reference=yes", "a 10.9.0.5", "b 10.9.0.6", "c 10.9.0.7 count=7", "d 10.9.0.8 count=1",
      ]),
      rules: "[paths]\nloss_threshold=5\ndown=yes\nCOMMAND\n")
    try await rounds(3, of: names, loss: 0, aggregator)
    try await stage.network.set("hop 10.9.1.1 drop 100")
    try await event("outage", "its begin", of: aggregator) { $0["state"] as? String == "firing" }
    try await rounds(3, of: names, loss: 100, aggregator)
    try await stage.network.set("hop 10.9.1.1 drop 0")
    try await event("outage", "its end", of: aggregator) { $0["state"] as? String == "resolved" }
    _ = try await stage.run("resolved.down", of: aggregator)
    // Whatever is held back counts, or does not, with a round of the reference.
    try await rounds(5, of: names, loss: 0, aggregator)
    #expect(
      try events("outage", of: aggregator).map { $0["subject"] as? String } == [
        "local connectivity", "local connectivity",
      ])
    let alerts = try events("alert", of: aggregator)
    #expect(alerts.map { $0["subject"] as? String } == ["local connectivity", "local connectivity"])
    #expect(alerts.map { $0["state"] as? String } == ["firing", "resolved"])
    #expect(try stage.names().count == 2)
    // One that fails alone is said.
    try await stage.network.set("target 10.9.0.6 loss 100")
    _ = try await stage.run("firing.loss", of: aggregator)
    try await event("alert", "of the target", of: aggregator) {
      $0["subject"] as? String == "b" && $0["measure"] as? String == "down"
    }
    #expect(try events("outage", of: aggregator).map { $0["subject"] as? String }.suffix(1) == ["b"])
    try await aggregator.stop()
  }

  @Test func `P11: another router is one event with both routes, a hop that is silent for a while is none`()
    async throws
  {
    let stage = try await Stage()
    func trace(_ name: String, _ host: String) -> String {
      "[\(name)]\ntype=trace\nhost=\(host)\ninterval=0.2\nhops=4\nhop_timeout=2\n"
    }
    let aggregator = try stage.start(
      try stage.monitors([], more: trace("way", "10.9.0.7") + trace("bare", "10.9.0.8")),
      rules: "[routes]\nprobe_filter=^way$\nroute_change=yes\nCOMMAND\n"
        + "[others]\nprobe_filter=^gw$\nroute_change=yes\nCOMMAND\n")
    func traces(by router: String?) async throws {
      func counted(_ name: String) throws -> Int {
        try events("probe", of: aggregator).count { event in
          let hops = event["hops"] as? [Event]
          return event["target"] as? String == name && hops?.count == 2
            && hops?.first?["address"] as? String == router
        }
      }
      let before = (try counted("way"), try counted("bare"))
      try await eventually("traces by \(router ?? "*")", state: { aggregator.state }) {
        try counted("way") >= before.0 + 2 && counted("bare") >= before.1 + 2 ? () : nil
      }
    }
    try await traces(by: "10.9.1.1")
    try await stage.network.set("hop 10.9.1.1 silent on")
    try await traces(by: nil)
    try await stage.network.set("hop 10.9.1.1 silent off")
    try await traces(by: "10.9.1.1")
    #expect(try events("route", of: aggregator).isEmpty)
    try await stage.network.set("hop 10.9.1.1 address 10.9.7.7")
    let facts = try await stage.run("changed.route", of: aggregator)
    for fact in [
      "BWMON_RULE=routes", "BWMON_SUBJECT=way", "BWMON_ADDRESS=10.9.0.7", "BWMON_ROUTE=10.9.7.7 10.9.0.7",
      "BWMON_ROUTE_BEFORE=10.9.1.1 10.9.0.7",
    ] { #expect(facts.contains(fact), "\(facts)") }
    try await traces(by: "10.9.7.7")
    let changes = try events("route", of: aggregator)
    #expect(Set(changes.map { $0["target"] as? String }) == ["way", "bare"] && changes.count == 2)
    let way = try #require(changes.first { $0["target"] as? String == "way" })
    #expect(way["from"] as? [String] == ["10.9.1.1", "10.9.0.7"])
    #expect(way["to"] as? [String] == ["10.9.7.7", "10.9.0.7"] && way["rules"] as? [String] == ["routes"])
    #expect(try stage.names().count == 1)
    // Each has one line, whether a rule asks for it or not.
    for (name, host) in [("way", "10.9.0.7"), ("bare", "10.9.0.8")] {
      let end = ": \(name) takes another route: 10.9.7.7 \(host); before: 10.9.1.1 \(host)"
      let said = aggregator.process.errors.lines.filter { $0.hasSuffix(end) }
      #expect(said.count == 1, "\(aggregator.process.errors.text)")
    }
    try await aggregator.stop()
  }

  @Test func `that this host has no descriptor is said once, and is no outage`() async throws {
    let stage = try await Stage()
    let aggregator = try stage.start(
      try stage.monitors([], more: "[shop]\ntype=connect\nhost=10.9.0.6\nport=80\ninterval=0.2\n"),
      rules: "[r]\ndown=yes\nCOMMAND\n")
    func limit(to count: Int) async throws {
      try await run(["prlimit", "--pid", "\(aggregator.process.pid)", "--nofile=\(count):"])
    }
    func attempts(_ what: String, _ isWanted: @escaping (Event) -> Bool) async throws {
      let before = try events("probe", of: aggregator).count(where: isWanted)
      try await eventually(what, state: { aggregator.state }) {
        try events("probe", of: aggregator).count(where: isWanted) >= before + 3 ? () : nil
      }
    }
    try await attempts("connections") { $0["rtt"] is Double }
    try await limit(to: 3)
    try await attempts("none") { $0["error"] as? String == "not asked: Too many open files" }
    try await limit(to: 1024)
    try await attempts("connections again") { $0["rtt"] is Double }
    #expect(try events("outage", of: aggregator).isEmpty && events("alert", of: aggregator).isEmpty)
    let said = aggregator.process.complaints.filter { $0.contains("cannot be asked") }
    #expect(said.count == 1 && said.first?.contains("LimitNOFILE=") == true, "\(said)")
    try await aggregator.stop()
  }

  @Test func `a table has a line of the targets`() async throws {
    let stage = try await Stage()
    let monitors = try stage.monitors(["gw 10.9.0.5", "off 10.9.0.6"])
    try await stage.network.set("target 10.9.0.6 echo off")
    let aggregator = try stage.lab.a.start([
      Program.path("runaggregator"), "--format", "table", "--interval", "0.2", "--monitor-config", monitors,
    ])
    try await aggregator.output.first("the targets") {
      $0.contains("probes: off down · gw 0.0 % loss ") ? () : nil
    }
    #expect(try await aggregator.stop() == .exited(0))
  }

  @Test func `SIGHUP adds and removes probes; a wrong file leaves them as they are`() async throws {
    let stage = try await Stage()
    let aggregator = try stage.start(
      try stage.monitors(["gw 10.9.0.5", "old 10.9.0.6"]), rules: "[r]\ndown=yes\nCOMMAND\n")
    try await stage.network.set("target 10.9.0.6 echo off")
    try await event("alert", "of the old one", of: aggregator) { $0["subject"] as? String == "old" }
    _ = try stage.monitors(["gw 10.9.0.5 count=none"])
    aggregator.process.signal(SIGHUP)
    try await aggregator.process.errors.first("why not") {
      $0.contains("monitors.cfg:7: ") && $0.contains("stays in force") ? () : nil
    }
    try await rounds(2, of: ["gw"], loss: 0, aggregator)
    try await rounds(2, of: ["old"], loss: 100, aggregator)
    _ = try stage.monitors(["gw 10.9.0.5", "new 10.9.0.7"])
    aggregator.process.signal(SIGHUP)
    try await rounds(2, of: ["gw", "new"], loss: 0, aggregator)
    let gone = try await event("alert", "the end", of: aggregator) { $0["state"] as? String == "resolved" }
    #expect(gone["subject"] as? String == "old" && gone["reason"] as? String == "gone")
    let last = try #require(
      try events("probe", of: aggregator).lastIndex { $0["target"] as? String == "old" })
    try await rounds(3, of: ["gw", "new"], loss: 0, aggregator)
    #expect(
      try events("probe", of: aggregator).lastIndex { $0["target"] as? String == "old" } == last)
    try await aggregator.stop()
  }

  @Test func `a name without an address is a warning, and probed once it has one`() async throws {
    let stage = try await Stage()
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
    try await rounds(2, of: ["gw"], loss: 0, aggregator)
    try write("127.0.0.1 localhost\n10.9.0.6 later.test\n")
    aggregator.process.signal(SIGHUP)
    try await rounds(2, of: ["gw", "later"], loss: 0, aggregator)
    try await event("warning", "its end", of: aggregator) {
      $0["code"] as? String == "probe_name:later" && $0["state"] as? String == "resolved"
    }
    try await aggregator.stop()
  }

  @Test func `without a privilege one line names the sysctl, and bytes are counted`() async throws {
    let stage = try await Stage()
    try await stage.lab.a.setSysctl("net.ipv4.ping_group_range", to: "1 0")
    let aggregator = try stage.start(
      try stage.monitors(
        ["gw 10.9.0.5", "web 10.9.0.6"],
        more: "[way]\ntype=trace\nhost=10.9.0.7\ninterval=0.2\nhops=4\n"
          + "[shop]\ntype=connect\nhost=10.9.0.6\nport=80\ninterval=0.2\n"),
      wrapper: ["setpriv", "--inh-caps=-net_raw", "--bounding-set=-net_raw"])
    try await rounds(3, of: ["gw", "web"], loss: 100, aggregator)
    let backup = try stage.backup()
    let report = try await aggregator.report("the backup") { $0.row(named: "Backup")?.sent ?? 0 > 500_000 }
    #expect(report.balance.sum == report.balance.total.view)
    let lines = aggregator.process.complaints.filter { $0.contains("ICMP") }
    #expect(lines.count == 1, "\(lines)")
    for part in ["sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"", "setcap cap_net_raw+ep"] {
      #expect(lines.first?.contains(part) == true, "\(lines)")
    }
    // What needs no privilege is done.
    try await event("probe", "a trace by UDP", of: aggregator) {
      $0["kind"] as? String == "trace" && ($0["hops"] as? [Event])?.count == 2
    }
    try await event("probe", "a connection", of: aggregator) {
      $0["kind"] as? String == "connect" && $0["rtt"] is Double
    }
    try await aggregator.stop()
    backup.process.signal(SIGKILL)
  }

  @Test func `what is counted is the same with probes and without`() async throws {
    let stage = try await Stage()
    let aggregator = try stage.start(try stage.monitors(["gw 10.9.0.5", "web 10.9.0.6"]))
    try await rounds(2, of: ["gw", "web"], loss: 0, aggregator)
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
