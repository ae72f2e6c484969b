import Foundation
import Lab
import Testing

/// P11, P14, P15: what runaggregator's probes say of paths that lose, are slow, fail together or change.
@Suite(.needs(.namespaces, .tun), .serialized, .timeLimit(.minutes(10)))
struct AggregatorProbesTests {
  private typealias Event = Reporter.Event

  @Test func `a path that loses is said once, and so is its end; who moves much elsewhere is not named`()
    async throws
  {
    let stage = try await ProbesStage()
    let aggregator = try stage.start(
      try stage.monitors(["gw 10.9.0.5", "web 10.9.0.6"]), rules: "[path]\nloss_threshold=20 %\nCOMMAND\n",
      interval: "0.5")
    try await aggregator.rounds(2, of: ["gw", "web"], loss: 0)
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
    let said = try await aggregator.event("alert", "the loss") { $0["state"] as? String == "firing" }
    #expect(said["measure"] as? String == "loss" && said["subject"] as? String == "gw")
    #expect((said["top"] as? [Event])?.isEmpty == true)
    #expect(said["value"] as? Double ?? 0 > 20)
    try await aggregator.event("outage", "of the target") {
      $0["subject"] as? String == "gw" && $0["state"] as? String == "firing"
    }
    try await stage.network.set("target 10.9.0.5 loss 0")
    #expect(try await stage.run("resolved.loss", of: aggregator).contains("BWMON_REASON=below"))
    try await aggregator.rounds(3, of: ["gw", "web"], loss: 0)
    #expect(try aggregator.events("alert").map { $0["state"] as? String } == ["firing", "resolved"])
    #expect(try stage.names().count == 2)
    try await aggregator.stop()
    backup.process.signal(SIGKILL)
  }

  @Test func `a round-trip time that rises is said, and an alert of bandwidth carries how the paths are`()
    async throws
  {
    let stage = try await ProbesStage()
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
    try await aggregator.rounds(1, of: ["gw"], loss: 0)
    try await aggregator.event("probe", "a connection") {
      $0["kind"] as? String == "connect" && $0["rtt"] is Double
    }
    try await aggregator.event("probe", "a trace") {
      $0["kind"] as? String == "trace" && ($0["hops"] as? [Event])?.count == 2
    }
    let backup = try stage.backup()
    let alert = try await aggregator.event("alert", "of bandwidth") { $0["rule"] as? String == "much" }
    let states = try #require(alert["probes"] as? [Event])
    #expect(states.map { $0["name"] as? String } == ["gw", "shop", "route"])
    #expect(states.map { $0["up"] as? Bool } == [true, true, nil])
    #expect(states.map { $0["reached"] as? Bool } == [nil, nil, true])
    #expect(states.map { $0["hops"] as? Int } == [nil, nil, 2])
    let facts = try await stage.run("firing..", of: aggregator)
    let probes = #/BWMON_PROBES=gw 0\.0 % loss \d+\.\d\d ms; shop \d+\.\d\d ms; route 2 hops/#
    #expect(facts.contains { $0.wholeMatch(of: probes) != nil }, "\(facts)")
    backup.process.signal(SIGKILL)
    try await stage.network.set("target 10.9.0.5 delay 300")
    let slow = try await stage.run("firing.rtt", of: aggregator)
    #expect(slow.contains("BWMON_UNIT=ms") && slow.contains("BWMON_SUBJECT=gw"), "\(slow)")
    try await stage.network.set("target 10.9.0.5 delay 0")
    _ = try await stage.run("resolved.rtt", of: aggregator)
    try await aggregator.stop()
  }

  @Test func `services are looked at, and that none answers any more is one outage`() async throws {
    let stage = try await ProbesStage()
    let greeting = """
      import socket, struct
      body = b'\\x0a8.0.36-test\\0' + struct.pack('<I', 7) + b'12345678\\0' + struct.pack('<HBHHB', 0xffff, 33, 2, 0x0008, 21)
      body += bytes(10) + b'123456789012\\0mysql_native_password\\0'
      server = socket.create_server(('127.0.0.1', 3306))
      while True:
        client, _ = server.accept()
        client.sendall(struct.pack('<I', len(body)) + body)
        client.close()
      """
    func serve() throws -> ChildProcess { try stage.lab.a.start(["python3", "-c", greeting]) }
    let server = try serve()
    let aggregator = try stage.start(
      try stage.monitors([], more: "[services]\ntype=scan\nhost=127.0.0.1\ninterval=0.2\n"),
      rules: "[gone]\ndown=yes\nCOMMAND\n")
    try await aggregator.event("probe", "a version") { event in
      event["kind"] as? String == "scan" && (event["mysql"] as? Event)?["version"] as? String == "8.0.36-test"
    }
    try await server.stop(SIGKILL)
    #expect(try await stage.run("firing.down", of: aggregator).contains("BWMON_SUBJECT=services"))
    let again = try serve()
    _ = try await stage.run("resolved.down", of: aggregator)
    try await aggregator.stop()
    let outages = try aggregator.events("outage").map { $0["state"] as? String }
    #expect(outages.last == "resolved" && outages.suffix(2).first == "firing", "\(outages)")
    try await again.stop(SIGKILL)
  }

  @Test func `an interface that goes down and comes up is one outage of local connectivity`() async throws {
    let stage = try await ProbesStage()
    let lab = stage.lab
    for number in 3...4 { try await lab.b.ip("addr add 10.77.1.\(number)/24 dev eth0") }
    let aggregator = try stage.start(
      try stage.monitors(
        ["gw 10.77.1.2 reference=yes", "a 10.77.1.3"],
        more: "[b]\ntype=connect\nhost=10.77.1.2\nport=\(stage.port)\ninterval=0.2\n"),
      rules: "[paths]\nloss_threshold=5\ndown=yes\nCOMMAND\n")
    func connections() throws -> Int {
      try aggregator.events("probe").count { $0["target"] as? String == "b" && $0["rtt"] is Double }
    }
    func connected(_ count: Int) async throws {
      let before = try connections()
      try await eventually("\(count) connections", state: { aggregator.state }) {
        try connections() >= before + count ? () : nil
      }
    }
    try await aggregator.rounds(3, of: ["gw", "a"], loss: 0)
    try await connected(3)
    try await lab.a.ip("link set eth0 down")
    try await aggregator.event("outage", "its begin") { $0["state"] as? String == "firing" }
    try await aggregator.rounds(2, of: ["gw", "a"], loss: 100)
    try await lab.a.ip("link set eth0 up")
    try await aggregator.event("outage", "its end") { $0["state"] as? String == "resolved" }
    _ = try await stage.run("resolved.down", of: aggregator)
    try await aggregator.rounds(5, of: ["gw", "a"], loss: 0)
    try await connected(3)
    for kind in ["outage", "alert"] {
      let events = try aggregator.events(kind)
      #expect(
        events.map { $0["subject"] as? String } == ["local connectivity", "local connectivity"], "\(events)")
      #expect(events.map { $0["state"] as? String } == ["firing", "resolved"])
    }
    #expect(try stage.names().count == 2)
    try await aggregator.stop()
  }

  @Test func `P15: what fails together with the reference is one outage, and targets resume without a word`()
    async throws
  {
    let stage = try await ProbesStage()
    let names = ["gw", "a", "b", "c", "d"]
    let aggregator = try stage.start(
      try stage.monitors([
        "gw 10.9.0.2 reference=yes", "a 10.9.0.5", "b 10.9.0.6", "c 10.9.0.7 count=7", "d 10.9.0.8 count=1",
      ]),
      rules: "[paths]\nloss_threshold=5\ndown=yes\nCOMMAND\n")
    try await aggregator.rounds(3, of: names, loss: 0)
    try await stage.network.set("hop 10.9.1.1 drop 100")
    try await aggregator.event("outage", "its begin") { $0["state"] as? String == "firing" }
    try await aggregator.rounds(3, of: names, loss: 100)
    try await stage.network.set("hop 10.9.1.1 drop 0")
    try await aggregator.event("outage", "its end") { $0["state"] as? String == "resolved" }
    _ = try await stage.run("resolved.down", of: aggregator)
    // Whatever is held back counts, or does not, with a round of the reference.
    try await aggregator.rounds(5, of: names, loss: 0)
    #expect(
      try aggregator.events("outage").map { $0["subject"] as? String } == [
        "local connectivity", "local connectivity",
      ])
    let alerts = try aggregator.events("alert")
    #expect(alerts.map { $0["subject"] as? String } == ["local connectivity", "local connectivity"])
    #expect(alerts.map { $0["state"] as? String } == ["firing", "resolved"])
    #expect(try stage.names().count == 2)
    // One that fails alone is said.
    try await stage.network.set("target 10.9.0.6 loss 100")
    _ = try await stage.run("firing.loss", of: aggregator)
    try await aggregator.event("alert", "of the target") {
      $0["subject"] as? String == "b" && $0["measure"] as? String == "down"
    }
    #expect(try aggregator.events("outage").map { $0["subject"] as? String }.suffix(1) == ["b"])
    try await aggregator.stop()
  }

  @Test func `P11: another router is one event with both routes, a hop that is silent for a while is none`()
    async throws
  {
    let stage = try await ProbesStage()
    func trace(_ name: String, _ host: String) -> String {
      "[\(name)]\ntype=trace\nhost=\(host)\ninterval=0.2\nhops=4\nhop_timeout=2\n"
    }
    let aggregator = try stage.start(
      try stage.monitors([], more: trace("way", "10.9.0.7") + trace("bare", "10.9.0.8")),
      rules: "[routes]\nprobe_filter=^way$\nroute_change=yes\nCOMMAND\n"
        + "[others]\nprobe_filter=^gw$\nroute_change=yes\nCOMMAND\n")
    func traces(by router: String?) async throws {
      func counted(_ name: String) throws -> Int {
        try aggregator.events("probe").count { event in
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
    #expect(try aggregator.events("route").isEmpty)
    try await stage.network.set("hop 10.9.1.1 address 10.9.7.7")
    let facts = try await stage.run("changed.route", of: aggregator)
    for fact in [
      "BWMON_RULE=routes", "BWMON_SUBJECT=way", "BWMON_ADDRESS=10.9.0.7", "BWMON_ROUTE=10.9.7.7 10.9.0.7",
      "BWMON_ROUTE_BEFORE=10.9.1.1 10.9.0.7",
    ] { #expect(facts.contains(fact), "\(facts)") }
    try await traces(by: "10.9.7.7")
    let changes = try aggregator.events("route")
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
    let stage = try await ProbesStage()
    let aggregator = try stage.start(
      try stage.monitors([], more: "[shop]\ntype=connect\nhost=10.9.0.6\nport=80\ninterval=0.2\n"),
      rules: "[r]\ndown=yes\nCOMMAND\n")
    func limit(to count: Int) async throws {
      try await run(["prlimit", "--pid", "\(aggregator.process.pid)", "--nofile=\(count):"])
    }
    func attempts(_ what: String, _ isWanted: @escaping (Event) -> Bool) async throws {
      let before = try aggregator.events("probe").count(where: isWanted)
      try await eventually(what, state: { aggregator.state }) {
        try aggregator.events("probe").count(where: isWanted) >= before + 3 ? () : nil
      }
    }
    try await attempts("connections") { $0["rtt"] is Double }
    try await limit(to: 3)
    try await attempts("none") { $0["error"] as? String == "not asked: Too many open files" }
    try await limit(to: 1024)
    try await attempts("connections again") { $0["rtt"] is Double }
    #expect(try aggregator.events("outage").isEmpty && aggregator.events("alert").isEmpty)
    let said = aggregator.process.complaints.filter { $0.contains("cannot be asked") }
    #expect(said.count == 1 && said.first?.contains("LimitNOFILE=") == true, "\(said)")
    try await aggregator.stop()
  }
}
