import Glibc
import Lab
import Testing

/// A47: an application that crosses a threshold, and the command that this runs.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct NotificationTests {
  /// A command that writes its environment, arguments and input to numbered files, and the rules that run it.
  struct Stage {
    let lab: Topology
    let server: Traffic
    let port: Int
    let folder: ScratchFolder
    let apps: String
    let command: String

    init(script: String = "") async throws {
      lab = try await MonitorAccountingTests.readyTopology()
      server = try Traffic("tcp-serve", in: lab.b)
      port = try await server.ready()
      folder = try ScratchFolder()
      apps = try folder.write("[Drip]\nrule=note drip\n", to: "apps.cfg")
      command = try await folder.write(
        program: """
          #!/bin/sh
          dir=$(dirname "$0")
          \(script)
          { printf '%s\\n' "$@"; env | grep ^BWMON_ | sort; echo "stdin: $(cat)"; } > "$dir/out.$$"
          mv "$dir/out.$$" "$dir/ran.$BWMON_STATE.$$"

          """, to: "notify.sh")
    }

    func rules(_ text: String) throws -> [String] {
      let file = try folder.write(text.replacing("COMMAND", with: command), to: "rules.cfg")
      return ["--app-config", apps, "--notification-config", file]
    }

    /// Something that sends so many kB (1024 bytes) a second, until it is killed unless said otherwise.
    func drip(_ rate: Int, seconds: Int = 3600) throws -> Traffic {
      try Traffic(
        "tcp 10.77.1.2 \(port) --rate \(rate * 1024) --send \(rate * 1024 * seconds) --note drip --hold",
        in: lab.a)
    }

    /// What the command has written so far.
    func runs(_ state: String = "") async throws -> [String] {
      let names = try await run("ls \(folder.path)").split(separator: "\n").map(String.init)
      return names.filter { $0.hasPrefix("ran.\(state)") }.map { folder.read($0) }
    }
  }

  @Test func `above the threshold the command runs once, with the facts`() async throws {
    let stage = try await Stage()
    let aggregator = try Reporter(
      try stage.rules(
        """
        [too much]
        process_filter=Drip
        out_threshold=100
        interval=1
        keep_firing_for=3
        on_resolve=yes
        notification_command=COMMAND "two words" $(id) plain

        """), program: "runaggregator", in: stage.lab.a)
    try await aggregator.report("a first report")
    let drip = try stage.drip(400)
    let run = try await eventually("a command", state: { aggregator.state }) {
      try await stage.runs("firing").first
    }
    let lines = run.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(Array(lines.prefix(3)) == ["two words", "$(id)", "plain"])
    for fact in [
      "BWMON_RULE=too much", "BWMON_STATE=firing", "BWMON_SUBJECT=Drip", "BWMON_THRESHOLD=100.00",
      "BWMON_PIDS=\(drip.pid)",
    ] { #expect(lines.contains(fact), "\(run)") }
    let host = try await Lab.run("uname -n").filter { !$0.isWhitespace }
    #expect(lines.contains("BWMON_HOST=\(host)"), "\(run)")
    let names = lines.filter { $0.hasPrefix("BWMON_") }.map { $0.prefix { $0 != "=" } }
    #expect(
      names.sorted() == [
        "BWMON_COUNT", "BWMON_DIRECTION", "BWMON_HOST", "BWMON_ID", "BWMON_INTERVAL", "BWMON_PIDS",
        "BWMON_PIDS_OMITTED", "BWMON_PROBES", "BWMON_REASON", "BWMON_RULE", "BWMON_SINCE", "BWMON_STATE",
        "BWMON_SUBJECT",
        "BWMON_THRESHOLD", "BWMON_TIME", "BWMON_UNIT", "BWMON_VALUE",
      ])
    let value = lines.first { $0.hasPrefix("BWMON_VALUE=") }.flatMap { Double($0.dropFirst(12)) }
    #expect(value ?? 0 >= 100, "\(run)")
    let said =
      #/stdin: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: Drip exceeding '\w+' bandwidth limit +100\.00: +\d+\.\d\d kB\/s \(\d+\.\d\d %\)/#
    #expect(lines.contains { $0.wholeMatch(of: said) != nil }, "\(run)")
    #expect(aggregator.process.errors.lines.contains { "stdin: \($0)".wholeMatch(of: said) != nil })
    drip.process.signal(SIGKILL)
    let resolved = try await eventually("the end of it", state: { aggregator.state }) {
      try await stage.runs("resolved").first
    }
    #expect(resolved.contains("BWMON_STATE=resolved"))
    #expect(try await stage.runs().count == 2)
    let events = try await eventually("both events", state: { aggregator.state }) {
      let events = aggregator.process.output.lines.filter { $0.contains("\"event\":\"alert\"") }
      return events.count > 1 ? events : nil
    }
    #expect(events.count == 2)
    #expect(events.first?.contains("\"state\":\"firing\"") == true)
    #expect(events.last?.contains("\"state\":\"resolved\"") == true)
    try await aggregator.stop()
    try await stage.server.finish()
  }

  @Test func `bandwidth is mailed and posted as well, each begin and each end once`() async throws {
    let stage = try await Stage()
    let mail = try await TestServer("mail_server", ["starttls"], in: stage.lab.a)
    let web = try await TestServer("web_server", in: stage.lab.a)
    let configuration = try stage.folder.write(mail.mailConfiguration, to: "mail.json")
    let flags = try stage.rules(
      """
      [too much]
      process_filter=Drip
      out_threshold=100
      interval=1
      on_resolve=yes
      mail_config=\(configuration)
      webhook=http://127.0.0.1:\(web.port)/hook

      """)
    let aggregator = try Reporter(
      flags + ["--spool", "\(stage.folder.path)/state"], program: "runaggregator", in: stage.lab.a)
    try await aggregator.report("a first report")
    let drip = try stage.drip(400)
    let begin = try #require(try await mail.mails(count: 1).first)
    #expect(begin.data.contains("BWMON_DIRECTION: out") && begin.data.contains("BWMON_SUBJECT: Drip"))
    let posted = try await web.requests(count: 1)
    #expect(posted[0].body.contains(#""state":"firing""#) && posted[0].body.contains(#""subject":"Drip""#))
    try await drip.process.stop(SIGKILL)
    #expect(try await mail.mails(count: 2).last?.data.contains("BWMON_STATE: resolved") == true)
    #expect(try await web.requests(count: 2).last?.body.contains(#""state":"resolved""#) == true)
    try await aggregator.stop()
    #expect(mail.reports("mail").count == 2)
    #expect(try web.requests().count == 2)
    try await stage.server.finish()
  }

  @Test func `a command has all the privileges that the program was started with`() async throws {
    let stage = try await Stage(script: "cp /proc/self/status \"$dir/status\"")
    let aggregator = try Reporter(
      try stage.rules(
        "[x]\nprocess_filter=Drip\nout_threshold=50\ninterval=1\nnotification_command=COMMAND\n"),
      program: "runaggregator", in: stage.lab.a)
    try await aggregator.report("a first report")
    let drip = try stage.drip(300)
    _ = try await eventually("a command", state: { aggregator.state }) { try await stage.runs().first }
    let had = Privileges(status: stage.folder.read("status"))
    let ours = Privileges.ownAsRoot
    #expect(had.effective == ours.effective && had.bounding == ours.bounding)
    #expect(!had.noNewPrivileges && !had.isFenced)
    for thread in try Privileges.ofThreads(aggregator.process.pid) {
      #expect(thread.effective == ours.effective & (Privileges.kill | Privileges.files))
    }
    // The sensor is fenced although commands run.
    for thread in try Privileges.ofThreads(try aggregator.sensor().pid) {
      #expect(thread.isFenced && thread.noNewPrivileges && thread.effective & Privileges.kill == 0)
    }
    try await aggregator.stop()
    drip.process.signal(SIGKILL)
    try await stage.server.finish()
  }

  @Test func `below it, and for a short burst, nothing runs`() async throws {
    let stage = try await Stage()
    let aggregator = try Reporter(
      try stage.rules(
        "[calm]\nprocess_filter=Drip\nout_threshold=300\ninterval=3\nnotification_command=COMMAND\n"),
      program: "runaggregator", in: stage.lab.a)
    try await aggregator.report("a first report")
    // 100 of 300 kB/s for five seconds; then 300 kB at once are another 100 over three seconds.
    let drip = try stage.drip(100, seconds: 5)
    _ = try await drip.counted()
    try await drip.finish()
    let burst = try Traffic("tcp 10.77.1.2 \(stage.port) --send 307200 --note drip", in: stage.lab.a)
    try await burst.finish()
    for _ in 0..<10 { try await aggregator.nextReport() }
    #expect(try await stage.runs().isEmpty)
    #expect(!aggregator.process.output.text.contains("\"alert\""))
    try await aggregator.stop()
    try await stage.server.finish()
  }

  @Test func `a command that hangs is killed with its children and stops nothing`() async throws {
    let stage = try await Stage(script: "sleep 3600 & echo $! > \"$dir/sleeper\"; sleep 3600")
    let aggregator = try Reporter(
      try stage.rules(
        "[slow]\nprocess_filter=Drip\nout_threshold=50\ninterval=1\ncommand_timeout=2\nnotification_command=COMMAND\n"
      ),
      program: "runaggregator", in: stage.lab.a)
    try await aggregator.report("a first report")
    let drip = try stage.drip(300)
    let sleeper = try await eventually("the command's child", state: { aggregator.state }) {
      Int(stage.folder.read("sleeper").filter(\.isNumber))
    }
    try await aggregator.nextReport()
    try await eventually("the end of the command's child") {
      (try? await run("test -d /proc/\(sleeper)")) == nil ? () : nil
    }
    try await aggregator.process.errors.first("a warning") { $0.contains("notify.sh") ? () : nil }
    try await aggregator.nextReport()
    try await aggregator.stop()
    drip.process.signal(SIGKILL)
    try await stage.server.finish()
  }

  @Test(arguments: ["/nonexistent/command", "/bin/false", "/etc/passwd"])
  func `a command that fails is one warning`(command: String) async throws {
    let stage = try await Stage()
    let aggregator = try Reporter(
      try stage.rules(
        "[broken]\nprocess_filter=Drip\nout_threshold=50\ninterval=1\nnotification_command=\(command)\n"),
      program: "runaggregator", in: stage.lab.a)
    try await aggregator.report("a first report")
    let drip = try stage.drip(300)
    // What can be seen from outside is said at the start as well.
    let warnings = command == "/bin/false" ? 1 : 2
    func said() -> Int { aggregator.process.errors.lines.count { $0.contains(command) } }
    try await eventually("\(warnings) warnings", state: { aggregator.state }) {
      said() >= warnings ? () : nil
    }
    for _ in 0..<10 { try await aggregator.nextReport() }
    #expect(said() == warnings)
    try await aggregator.stop()
    drip.process.signal(SIGKILL)
    try await stage.server.finish()
  }
}
