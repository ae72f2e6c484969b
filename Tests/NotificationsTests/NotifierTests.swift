import Foundation
import Lab
import Model
import Testing

@testable import Notifications

/// How a notifier runs commands, says what fails, counts what it drops, and ends.
@Suite struct NotifierTests {
  private let shop: Workshop

  init() throws { shop = try Workshop() }

  @Test func `a hundred rules at once run four at a time and leave no zombie`() async throws {
    let script = #"echo "+ $$" >> "$0/log"; sleep 0.02; echo "- $$" >> "$0/log""#
    let rules = (1...100).map { shop.rule(script, for: "rule \($0)") }
    let (warnings, dropped) = try await deliver(rules.map { sampleNotification(rule: $0.rule) }, to: rules) {
      shop.lines("log").count == 200
    }
    #expect(warnings.isEmpty && dropped == 0)
    let log = shop.lines("log")
    var alive = 0
    for line in log {
      alive += line.hasPrefix("+") ? 1 : -1
      #expect((0...4).contains(alive))
    }
    let pids = Set(log.map { $0.dropFirst(2) })
    #expect(pids.count == 100)
    for pid in pids { #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)")) }
  }

  @Test func `one rule runs one command at a time, in order`() async throws {
    let rule = shop.rule(
      #"echo "+ $BWMON_SUBJECT" >> "$0/log"; sleep 0.01; echo "- $BWMON_SUBJECT" >> "$0/log""#)
    let subjects = (1...12).map { "app \($0)" }
    _ = try await deliver(subjects.map { sampleNotification(subject: $0) }, to: [rule]) {
      shop.lines("log").count == 24
    }
    #expect(shop.lines("log") == subjects.flatMap { ["+ " + $0, "- " + $0] })
  }

  @Test func `only what the configuration names is run`() async throws {
    let notifications = [
      sampleNotification(rule: "quiet"), sampleNotification(.ended(.over), rule: "quiet"),
      sampleNotification(rule: "other"),
      sampleNotification(rule: "loud"), sampleNotification(.goesOn, rule: "loud"),
      sampleNotification(.ended(.over), rule: "loud"),
    ]
    let script = #"echo "$BWMON_RULE $BWMON_STATE $BWMON_REASON" >> "$0/log""#
    let rules = [shop.rule(script, for: "quiet"), shop.rule(script, for: "loud", onResolve: true)]
    _ = try await deliver(notifications, to: rules)
    #expect(shop.lines("log").filter { $0.hasPrefix("quiet") } == ["quiet firing "])
    // The repetition says nothing new while its firing waits.
    let loud = shop.lines("log").filter { $0.hasPrefix("loud") }
    #expect(loud.first == "loud firing " && loud.last == "loud resolved over")
    #expect(shop.lines("log").allSatisfy { !$0.hasPrefix("other") })
  }

  @Test func `what stands alone is run each time`() async throws {
    let notifications = (1...3).map { sampleNotification(.single, subject: "way \($0)") }
    let rule = shop.rule(#"echo "$BWMON_SUBJECT $BWMON_STATE" >> "$0/log""#, onResolve: true)
    _ = try await deliver(notifications, to: [rule]) { shop.lines("log").count == 3 }
    #expect(shop.lines("log") == (1...3).map { "way \($0) changed" })
  }

  @Test(arguments: [
    ("exit 7", "ended with status 7"), ("kill -15 $$", "ended by signal 15"),
    ("sleep 600", "was killed with its children after 0.2 s"),
  ])
  func `a command that fails again and again is one warning`(script: String, text: String) async throws {
    let rule = shop.rule(script, timeout: script == "sleep 600" ? .milliseconds(200) : .seconds(600))
    let (warnings, _) = try await deliver((1...3).map { sampleNotification(since: $0) }, to: [rule])
    #expect(warnings.count == 1)
    #expect(warnings.first?.code == "notification_failed")
    #expect(warnings.first?.text.contains(text) == true)
  }

  @Test func `missing commands are one warning a rule and stop nothing`() async throws {
    let missing = ["a", "b"].map { CommandRule(rule: $0, words: ["/nonexistent/" + $0]) }
    let notifications = ["a", "b", "a", "b"].enumerated().map {
      sampleNotification(rule: $0.element, since: Int64($0.offset))
    }
    let (warnings, _) = try await deliver(
      notifications + [sampleNotification(rule: "web")], to: missing + [shop.rule(#"echo ran > "$0/log""#)])
    #expect(Set(warnings.map { $0.text.prefix(3) }) == ["[a]", "[b]"] && warnings.count == 2)
    #expect(shop.lines("log") == ["ran"])
  }

  @Test func `a success is the end of a failure`() {
    var log = FailureLog()
    let rule = CommandRule(rule: "web\u{1b}", words: ["/bin/x\n"])
    let outcomes: [CommandOutcome] = [
      .succeeded, .notFound, .failed(status: 1), .abandoned, .timedOut, .succeeded, .killed(signal: 9),
      .notStarted("why\n"),
    ]
    let warnings = outcomes.map { log.record($0.delivery(by: rule), of: DeliveryKey(rule.rule, .command)) }
    #expect(warnings.map { $0 == nil } == [true, false, true, true, true, true, false, true])
    for warning in warnings.compactMap(\.self) {
      #expect(warning.text.hasPrefix(#"[web\e]: the command `/bin/x\n` "#))
    }
  }

  @Test(arguments: [
    (
      CommandOutcome.failed(status: 4), "ended with status 4: run it by hand and mend what it says."
    ),
    (.killed(signal: 11), "was ended by signal 11: run it by hand and mend it."),
    (.timedOut, "was killed with its children after 30.0 s: mend it or raise command_timeout."),
    (
      .notFound,
      "was not found or may not be run: write its full path in notification_command and make it executable."
    ),
    (
      .notStarted("E2BIG"),
      "could not be started (E2BIG): check notification_command and the system's limits."
    ),
  ])
  func `every failure has its sentence`(outcome: CommandOutcome, text: String) {
    var log = FailureLog()
    let rule = CommandRule(rule: "web", words: ["mail"])
    let warning = log.record(outcome.delivery(by: rule), of: DeliveryKey(rule.rule, .command))
    #expect(warning?.text == "[web]: the command `mail` \(text) This is said once until it succeeds.")
  }

  @Test func `the end says for how many commands it waits and how long at most`() async throws {
    let (warnings, continuation) = AsyncStream.makeStream(of: Warning.self)
    let script = #"until [ -e "$0/gate" ]; do sleep 0.02; done; echo >> "$0/log""#
    var notifier = Notifier(
      rules: [
        shop.rule(script, for: "a", timeout: .seconds(600)),
        shop.rule(script, for: "b", timeout: .seconds(1200)),
      ]
    ) { continuation.yield($0) }
    notifier.submit(sampleNotification(rule: "a", since: 1))
    notifier.submit(sampleNotification(rule: "b", since: 1))
    notifier.submit(sampleNotification(rule: "a", since: 2))
    notifier.finish()
    let service = notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    let warning = await warnings.first { _ in true }
    #expect(
      warning?.text.hasPrefix("the end waits for 3 notification commands, at most 1802.0 s: ") == true,
      "\(String(describing: warning))")
    #expect(FileManager.default.createFile(atPath: shop.path + "/gate", contents: nil))
    await end
    #expect(shop.lines("log").count == 3)
  }

  @Test func `nobody waits for a service that does not look, and what is lost is counted`() {
    var notifier = Notifier(rules: [shop.rule("exit 0")]) { _ in }
    for since in 0..<5000 { notifier.submit(sampleNotification(since: Int64(since))) }
    #expect(notifier.dropped == UInt64(5000 - Notifier.capacity))
  }

  @Test func `too many notifications of one rule are counted`() async throws {
    let notifications = (0..<400).map { sampleNotification(since: Int64($0)) }
    var notifier = Notifier(rules: [shop.rule(#"echo >> "$0/log""#)]) { _ in }
    for notification in notifications { notifier.submit(notification) }
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    #expect(UInt64(shop.lines("log").count) + notifier.dropped == 400)
    #expect(notifier.dropped > 0)
  }

  @Test func `each line is written at once and in order, whatever becomes of its command`() {
    let lines = Lines()
    var notifier = Notifier(
      rules: [shop.rule("exit 0")], line: LineDelivery { lines.append($0) }, warn: { _ in })
    let stages: [Model.Notification.Stage] = [.began, .goesOn, .ended(.over), .ended(.ruleRemoved)]
    let given = (0..<Notifier.capacity).flatMap { count in
      stages.map { sampleNotification($0, rule: count % 2 == 0 ? "web" : "none", since: Int64(count)) }
    }
    for (count, var notification) in given.enumerated() {
      notification.line = "line \(count)"
      notifier.submit(notification)
      #expect(lines.count == count + 1)
    }
    #expect(lines.all == given.indices.map { "line \($0)" })
    #expect(notifier.dropped > 0)
  }

  @Test func `what commands write goes to the given output`() async throws {
    #expect(FileManager.default.createFile(atPath: shop.path + "/output", contents: nil))
    let file = try #require(FileHandle(forWritingAtPath: shop.path + "/output"))
    _ = try await deliver(
      [sampleNotification()], to: [shop.rule("echo one; echo two >&2")], output: file.fileDescriptor)
    #expect(shop.lines("output") == ["one", "two"])
  }

  @Test func `what waits for too long after the end is dropped, and what runs ends`() async throws {
    let script = #"until [ -e "$0/gate" ]; do sleep 0.02; done; echo >> "$0/log""#
    let (warnings, continuation) = AsyncStream.makeStream(of: Warning.self)
    var notifier = Notifier(rules: [shop.rule(script)]) { continuation.yield($0) }
    for since in 1...3 { notifier.submit(sampleNotification(since: Int64(since))) }
    notifier.finish()
    let service = notifier.service
    async let end: Void = service.run(drainTime: .milliseconds(50))
    try await wait { notifier.dropped == 2 }
    #expect(FileManager.default.createFile(atPath: shop.path + "/gate", contents: nil))
    await end
    continuation.finish()
    let codes = await warnings.reduce(into: []) { $0.append($1.code) }
    #expect(codes == ["notifications_awaited", "notifications_dropped"])
    #expect(shop.lines("log").count == 1)
  }

  @Test func `a cancelled service ends its commands and drops the rest`() async throws {
    var notifier = Notifier(rules: [shop.rule(#"echo $$ >> "$0/log"; exec sleep 600"#)]) { _ in }
    notifier.submit(sampleNotification(since: 1))
    notifier.submit(sampleNotification(since: 2))
    try await withThrowingTaskGroup { group in
      group.addTask { [service = notifier.service] in await service.run() }
      try await wait { !shop.lines("log").isEmpty }
      group.cancelAll()
      try await group.waitForAll()
    }
    let pids = shop.lines("log")
    #expect(pids.count == 1 && pids.allSatisfy { !FileManager.default.fileExists(atPath: "/proc/\($0)") })
    #expect(notifier.dropped == 1)
  }
}
