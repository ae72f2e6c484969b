import Foundation
import Glibc
import Lab
import Testing

/// P27: a restart of runaggregator while an alert fires is no second firing, and the end still comes.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct AggregatorRestartTests {
  /// A target that answers pings unless they are dropped, and a rule with a command and a webhook.
  private struct Setting {
    let namespace: NetworkNamespace
    let server: TestServer
    let folder: ScratchFolder

    var state: String { "\(folder.path)/state" }

    init(rule: String = "") async throws {
      namespace = try await NetworkNamespace()
      server = try await TestServer("web_server", in: namespace)
      folder = try ScratchFolder()
      try folder.write("[gate]\ntype=ping\nhost=127.0.0.1\ncount=1\ninterval=0.2\n", to: "monitors.cfg")
      try write(
        rule: """
          [Gateway]
          down=yes
          on_resolve=yes
          \(rule)
          webhook=http://127.0.0.1:\(server.port)/hook?token=geheim
          notification_command=sh -c 'echo "$BWMON_STATE $BWMON_ID" >>\(folder.path)/commands'
          """)
    }

    func write(rule: String) throws { try folder.write(rule + "\n", to: "rules.cfg") }

    func start(_ place: UselessFolder? = nil) throws -> ChildProcess {
      try namespace.start(
        (place?.wrapper(state) ?? []) + [
          Program.path("runaggregator"), "--format", "json", "--interval", "0.2", "--monitor-config",
          "\(folder.path)/monitors.cfg", "--notification-config", "\(folder.path)/rules.cfg", "--spool",
          place.map { "\(state)/\($0.path)" } ?? state,
        ])
    }

    func close(_ rule: String, _ name: String) async throws {
      try await namespace.nft(
        "table inet \(name) { chain in { type filter hook input priority 0; \(rule); }; }")
    }

    func line(_ words: String, of program: ChildProcess) async throws -> String {
      try await program.errors.first(words) { $0.contains(words) ? $0 : nil }
    }

    /// Waits for so many reports and results of a program: by then all is judged.
    func rounds(_ count: Int, of program: ChildProcess) async throws {
      try await eventually("\(count) results", state: { program.errors.text }) {
        program.output.lines.count { $0.contains("\"event\":\"probe\"") } >= count ? () : nil
      }
    }

    /// Waits until the file of what fires has these words.
    func kept(_ words: String) async throws {
      try await eventually("\(words) in the file", state: { folder.read("state/alerts/firing.json") }) {
        folder.read("state/alerts/firing.json").contains(words) ? () : nil
      }
    }

    /// A webhook that was taken is one that waits until its file is removed.
    func noWebhookWaits() async throws {
      try await eventually("no webhook that waits") {
        let files = try? FileManager.default.contentsOfDirectory(atPath: "\(state)/webhooks")
        return files?.isEmpty == true ? () : nil
      }
    }

    var commands: [String] { folder.read("commands").split(separator: "\n").map(String.init) }

    func commands(count: Int) async throws -> [String] {
      try await eventually("\(count) commands", state: { folder.read("commands") }) {
        commands.count >= count ? commands : nil
      }
    }

    /// The states that were reported to the web server.
    func reported(count: Int) async throws -> [String] {
      try await server.requests(count: count).map { request in
        ["firing", "repeat", "resolved"].first { request.body.contains("\"state\":\"\($0)\"") } ?? "?"
      }
    }
  }

  @Test(arguments: [SIGKILL, SIGTERM])
  func `what fires goes on, and its end is reported once to whom its beginning was`(signal: Int32)
    async throws
  {
    let setting = try await Setting()
    try await setting.close("icmp type echo-request drop", "gate")
    let first = try setting.start()
    _ = try await setting.line("is down", of: first)
    #expect(try await setting.reported(count: 1) == ["firing"])
    _ = try await setting.commands(count: 1)
    try await setting.kept("\"told\":[\"command\",\"webhook\"]")
    try await setting.noWebhookWaits()
    #expect(try await first.stop(signal) == (signal == SIGKILL ? .signalled(SIGKILL) : .exited(0)))
    let second = try setting.start()
    try await setting.rounds(5, of: second)
    #expect(!second.errors.text.contains("is down") && !second.output.text.contains("\"event\":\"outage\""))
    try await setting.namespace.nft("delete table inet gate")
    _ = try await setting.line("is up again", of: second)
    let commands = try await setting.commands(count: 2)
    #expect(try await setting.reported(count: 2) == ["firing", "resolved"])
    #expect(try await second.stop() == .exited(0))
    // The identifier has rule, target and start in it.
    let identifier = try #require(commands.first?.split(separator: " ").last)
    #expect(setting.commands == ["firing \(identifier)", "resolved \(identifier)"])
    #expect(try setting.server.requests().count == 2)
    #expect(second.errors.lines.count { $0.contains("is up again") } == 1)
    #expect(!FileManager.default.fileExists(atPath: "\(setting.state)/alerts/firing.json"))
    let third = try setting.start()
    try await setting.rounds(3, of: third)
    #expect(try await third.stop() == .exited(0))
    #expect(setting.commands.count == 2 && !third.errors.text.contains("127.0.0.1"))
  }

  @Test func `an outage of this host goes on, and ends once with its whole time`() async throws {
    let setting = try await Setting()
    try setting.folder.write(
      ["gate", "other"].enumerated().map { index, name in
        "[\(name)]\ntype=ping\nhost=127.0.0.\(index + 1)\ncount=1\ninterval=0.2\n"
          + (index == 0 ? "reference=yes\n" : "")
      }.joined(), to: "monitors.cfg")
    let first = try setting.start()
    try await setting.rounds(4, of: first)
    try await setting.close("icmp type echo-request drop", "gate")
    try await setting.kept("local connectivity")
    _ = try await setting.commands(count: 1)
    _ = try await setting.reported(count: 1)
    try await setting.noWebhookWaits()
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    let second = try setting.start()
    try await setting.rounds(6, of: second)
    #expect(!second.output.text.contains("\"event\":\"outage\""))
    try await setting.namespace.nft("delete table inet gate")
    _ = try await setting.commands(count: 2)
    #expect(try await setting.reported(count: 2) == ["firing", "resolved"])
    #expect(try await second.stop() == .exited(0))
    let outages = second.output.lines.filter { $0.contains("\"event\":\"outage\"") }
    #expect(outages.count == 1 && outages[0].contains("local connectivity"), "\(outages)")
    #expect(second.output.lines.count { $0.contains("\"event\":\"alert\"") } == 1)
    #expect(setting.commands.map { $0.prefix { $0 != " " } } == ["firing", "resolved"])
  }

  @Test func `repetitions count on`() async throws {
    let setting = try await Setting(rule: "repeat=1")
    try await setting.close("icmp type echo-request drop", "gate")
    let first = try setting.start()
    try await setting.kept("\"count\":2")
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    let second = try setting.start()
    try await setting.kept("\"count\":3")
    #expect(try await second.stop() == .exited(0))
    #expect(second.output.lines.first { $0.contains("\"event\":\"alert\"") }?.contains("\"count\":3") == true)
  }

  @Test func `a rule or a target that has gone meanwhile ends it`() async throws {
    let setting = try await Setting()
    try await setting.close("icmp type echo-request drop", "gate")
    let first = try setting.start()
    try await setting.kept("Gateway")
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    try setting.write(rule: "[Other]\nloss_threshold=99.5")
    let second = try setting.start()
    let event = try await second.output.first("the end") { $0.contains("\"resolved\"") ? $0 : nil }
    #expect(event.contains("\"reason\":\"removed\"") && event.contains("Gateway"))
    #expect(try await second.stop() == .exited(0))
  }

  @Test func `a damaged file is said once, and then it fires as without it`() async throws {
    let setting = try await Setting()
    try FileManager.default.createDirectory(
      atPath: "\(setting.state)/alerts", withIntermediateDirectories: true)
    try setting.folder.write("{\"schema\":9}", to: "state/alerts/firing.json")
    try await setting.close("icmp type echo-request drop", "gate")
    let program = try setting.start()
    _ = try await setting.line("is down", of: program)
    try await setting.kept("Gateway")
    #expect(try await program.stop() == .exited(0))
    #expect(program.errors.lines.count { $0.contains("firing.json cannot be read") } == 1)
  }

  @Test func `a webhook that waits survives SIGKILL, and comes once`() async throws {
    let setting = try await Setting()
    try await setting.close("tcp dport \(setting.server.port) reject with tcp reset", "web")
    try await setting.close("icmp type echo-request drop", "gate")
    let first = try setting.start()
    let said = try await setting.line("did not answer", of: first)
    #expect(!said.contains("geheim"))
    let file = "state/webhooks/000000000000.waiting"
    try await eventually("an attempt on the disk", state: { setting.folder.read(file) }) {
      setting.folder.read(file).contains("\"attempts\":1") ? () : nil
    }
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    let second = try setting.start()
    try await setting.rounds(3, of: second)
    try await setting.namespace.nft("delete table inet web")
    // Else it would be tried again after half a minute.
    second.signal(SIGHUP)
    #expect(try await setting.reported(count: 1) == ["firing"])
    try await setting.namespace.nft("delete table inet gate")
    #expect(try await setting.reported(count: 2) == ["firing", "resolved"])
    #expect(try await second.stop() == .exited(0))
    #expect(try setting.server.requests().count == 2)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(setting.state)/webhooks").isEmpty)
  }

  @Test(arguments: UselessFolder.all + [UselessFolder.absent])
  func `a folder that is of no use is said once, and webhooks are sent all the same`(place: UselessFolder)
    async throws
  {
    let setting = try await Setting()
    let program = try setting.start(place)
    try await setting.rounds(1, of: program)
    for count in [1, 3] {
      try await setting.close("icmp type echo-request drop", "gate")
      #expect(try await setting.reported(count: count).last == "firing")
      try await setting.namespace.nft("delete table inet gate")
      #expect(try await setting.reported(count: count + 1).last == "resolved")
    }
    #expect(try await program.stop() == .exited(0))
    let complaints = program.errors.lines.filter { $0.contains("webhooks") }
    #expect(complaints.count == 1 && complaints[0].contains(place.said), "\(program.errors.text)")
    let firing = program.errors.lines.filter { $0.contains("what fires") }
    #expect(firing.count == 1 && firing[0].contains(place.said), "\(program.errors.text)")
    #expect(try setting.server.requests().count == 4)
  }
}

extension NotificationTests {
  @Test func `an application above its limit is not reported again after SIGKILL, and its end is`()
    async throws
  {
    let stage = try await Stage()
    let flags =
      try stage.rules(
        """
        [too much]
        process_filter=Drip
        out_threshold=100
        interval=2
        on_resolve=yes
        notification_command=COMMAND

        """) + ["--spool", "\(stage.folder.path)/state"]
    let first = try Reporter(flags, program: "runaggregator", in: stage.lab.a)
    try await first.report("a first report")
    let drip = try stage.drip(400)
    let begun = try await eventually("a command", state: { first.state }) {
      try await stage.runs("firing").first
    }
    try await eventually("a file") {
      stage.folder.read("state/alerts/firing.json").contains("\"command\"") ? () : nil
    }
    #expect(try await first.process.stop(SIGKILL) == .signalled(SIGKILL))
    let second = try Reporter(flags, program: "runaggregator", in: stage.lab.a)
    // More than the window, which is full of its bytes again then.
    for _ in 0..<30 { try await second.nextReport() }
    #expect(!second.process.output.text.contains("\"event\":\"alert\""), "\(second.state)")
    drip.process.signal(SIGKILL)
    let over = try await eventually("the end of it", state: { second.state }) {
      try await stage.runs("resolved").first
    }
    func identity(_ text: String) -> [Substring] {
      text.split(separator: "\n").filter { $0.hasPrefix("BWMON_ID=") || $0.hasPrefix("BWMON_SINCE=") }
    }
    #expect(identity(begun).count == 2 && identity(begun) == identity(over))
    #expect(try await stage.runs().count == 2)
    try await second.stop()
    try await stage.server.finish()
  }
}
