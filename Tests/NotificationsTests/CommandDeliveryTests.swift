import Foundation
import Model
import Testing

@testable import Notifications

@Suite struct CommandDeliveryTests {
  private let shop: Workshop

  init() throws { shop = try Workshop() }

  private func run(_ rule: CommandRule, _ notification: Model.Notification = sampleNotification()) async
    -> CommandOutcome
  {
    await CommandDelivery(rule: rule, output: 2, grace: .milliseconds(100)).run(for: notification)
  }

  @Test(arguments: [
    ("exit 0", CommandOutcome.succeeded), ("exit 3", .failed(status: 3)), ("exit 255", .failed(status: 255)),
    ("kill -9 $$", .killed(signal: 9)), ("exec <&-; exit 0", .succeeded),
    ("false", .failed(status: 1)),
  ])
  func `the end of a command is known`(script: String, outcome: CommandOutcome) async {
    #expect(await run(shop.rule(script)) == outcome)
  }

  @Test(arguments: ["/nonexistent/program", "no-such-program-of-bwmon", "./no", "/etc/passwd", "/tmp", ""])
  func `a program that cannot be run is reported`(program: String) async {
    let outcome = await run(CommandRule(rule: "web", words: [program]))
    guard case .notStarted = outcome else {
      #expect(outcome == .notFound)
      return
    }
    #expect(program == "")
  }

  @Test func `no words are no program`() async {
    #expect(await run(CommandRule(rule: "web", words: [])) == .notFound)
  }

  @Test func `a program is found on the path and gets its arguments as they are`() async throws {
    let rule = CommandRule(
      rule: "web",
      words: ["sh", "-c", #"printf '%s\n' "$@" > "$0/arguments""#, shop.path, "a b", "$HOME", "", "*", "'\""])
    #expect(await run(rule) == .succeeded)
    #expect(shop.lines("arguments") == ["a b", "$HOME", "", "*", "'\""])
  }

  @Test func `facts come by environment and the line by stdin`() async throws {
    let notification = sampleNotification(.goesOn)
    #expect(await run(shop.rule(#"env -0 > "$0/env"; cat > "$0/stdin""#), notification) == .succeeded)
    #expect(shop.text("stdin") == notification.line + "\n")
    let pairs = try #require(shop.text("env")).split(separator: "\0").map {
      $0.split(separator: "=", maxSplits: 1)
    }
    let environment = Dictionary(pairs.map { (String($0[0]), $0.count > 1 ? String($0[1]) : "") }) {
      first, _ in first
    }
    #expect(
      environment.filter { $0.key.hasPrefix("BWMON_") }
        == Dictionary(uniqueKeysWithValues: notification.facts.map { ($0.name, $0.value) }))
    #expect(environment["PATH"] == ProcessInfo.processInfo.environment["PATH"])
  }

  @Test func `a hostile subject arrives verbatim and runs nothing`() async throws {
    let subject = "$(touch \(shop.path)/x); \n\"'`touch \(shop.path)/x` \u{1b}[2J \\ %s é"
    let rule = shop.rule(#"printf %s "$BWMON_SUBJECT" > "$0/subject"; cat > "$0/stdin""#)
    #expect(await run(rule, sampleNotification(subject: subject)) == .succeeded)
    #expect(shop.text("subject") == subject)
    #expect(shop.text("stdin")?.contains("\u{1b}") == false)
    #expect(shop.text("x") == nil)
  }

  @Test func `endless facts do not keep a command from running`() async {
    let notification = sampleNotification(
      facts: [
        .init("BWMON_RULE", String(repeating: "r", count: 300_000)),
        .init("BWMON_SUBJECT", String(repeating: "\0é", count: 300_000)),
        .init("BWMON_PIDS", String(repeating: " 4194304", count: 300_000)),
      ], line: String(repeating: "é", count: 300_000))
    #expect(await run(shop.rule("exit 0"), notification) == .succeeded)
  }

  @Test func `a command does not wait for a reader or a terminal`() async {
    #expect(await run(shop.rule(#"read line && read more || test -n "$line""#)) == .succeeded)
  }

  @Test func `a command has default signals, its own group and no descriptor of ours`() async throws {
    let script = #"""
      grep -E '^Sig(Blk|Ign)' /proc/self/status > "$0/signals"
      echo $$ $(cut -d' ' -f5 /proc/$$/stat) > "$0/group"
      set -- /proc/self/fd/*; echo "$@" > "$0/descriptors"
      """#
    // Threads of the concurrency runtime block nearly all signals: inherited, SIGTERM would not end a command.
    #expect(await run(shop.rule(script)) == .succeeded)
    let signals = shop.lines("signals").map { UInt64($0.suffix(16), radix: 16) }
    // Signals 32 and 33 are glibc's own, and it leaves them ignored.
    #expect(signals == [0, 0x1_8000_0000])
    let group = try #require(shop.lines("group").first).split(separator: " ")
    #expect(group.count == 2 && group[0] == group[1])
    // The fourth is the folder that the shell reads.
    #expect(shop.lines("descriptors") == ["/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3"])
  }

  @Test(arguments: [
    (#""#, #""#), (#"trap "" TERM;"#, #"trap "" TERM;"#), (#""#, #"trap "" TERM;"#),
    (#"trap "exit 0" TERM;"#, #"trap "" TERM;"#),
  ])
  func `at the timeout the whole group ends`(child: String, grandchild: String) async throws {
    let script = #"""
      \#(child) (\#(grandchild) sh -c 'echo $PPID' > "$0/grandchild.new"; mv "$0/grandchild.new" "$0/grandchild"; while :; do sleep 1; done) &
      echo $$ > "$0/child"; wait; wait
      """#
    // A busy machine may need longer to come to the point where both live.
    for timeout in [Duration.milliseconds(200), .seconds(1), .seconds(5), .seconds(30)] {
      #expect(await run(shop.rule(script, timeout: timeout)) == .timedOut)
      if shop.text("grandchild") != nil, !shop.lines("child").isEmpty { break }
    }
    let pids = try [#require(shop.lines("child").first), #require(shop.lines("grandchild").first)]
    #expect(pids[0] != pids[1])
    #expect(!FileManager.default.fileExists(atPath: "/proc/\(pids[0])"))
    try await wait { isGone(pids[1]) }
  }

  @Test func `a grandchild that lives on holds nobody up`() async throws {
    #expect(await run(shop.rule(#"sleep 600 & echo $! > "$0/pid""#)) == .succeeded)
    let pid = try #require(shop.lines("pid").first)
    #expect(!isGone(pid))
    kill(try #require(Int32(pid)), SIGKILL)
  }

  @Test func `a program that is being written is not begun, and runs once it is complete`() async throws {
    let program = shop.path + "/program"
    try FileManager.default.copyItem(atPath: "/bin/true", toPath: program)
    let rule = CommandRule(rule: "web", words: [program])
    let writer = try #require(FileHandle(forUpdatingAtPath: program))
    let delivery = CommandDelivery(rule: rule, output: 2)
    guard case .notBegun(let why) = await delivery.attempt(sampleNotification()) else {
      Issue.record("a program ran while it was open for writing")
      return
    }
    #expect(why.hasPrefix("the command `\(program)` could not be started (Failed to launch the new process."))
    try writer.close()
    // What another test starts meanwhile has the descriptor too, until it is another program.
    var outcome = await delivery.attempt(sampleNotification())
    for _ in 0..<18_000 {
      guard case .notBegun = outcome else { break }
      try await Task.sleep(for: .milliseconds(10))
      outcome = await delivery.attempt(sampleNotification())
    }
    #expect(outcome == .succeeded)
  }

  @Test func `what fails to start leaves nothing open`() async throws {
    func count() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
    let before = try count()
    for _ in 0..<1000 {
      #expect(await run(CommandRule(rule: "web", words: ["/nonexistent/program"])) == .notFound)
    }
    // Other tests open descriptors meanwhile, but not that many.
    #expect(try count() < before + 700)
  }
}
