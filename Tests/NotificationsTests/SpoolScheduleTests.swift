import Curl
import SystemRuntime
import Model
import Testing

@testable import Notifications

@Suite struct SpoolScheduleTests {
  private let start = Instant.now

  private func report(_ stream: String = "a", _ body: String = "x", _ id: String = "id") -> MailReport {
    MailReport(
      stream: stream, subject: "s", body: body, messageID: "\(id)@h", created: Timestamp(seconds: 1))
  }

  private static let sample = MailConfiguration(
    from: "a@h", to: ["x@h", "y@h"], server: "h", port: 25, user: nil, password: "", isImplicitTLS: false,
    needsTLS: true, verifies: true, timeout: nil, authorities: nil)

  /// Each of the streams with a configuration, by default all with the same.
  private func configurations(
    _ streams: [String] = ["a", "b"], file: (String) -> String = { _ in "" }
  ) -> MailConfigurations {
    var configurations = MailConfigurations()
    for stream in streams {
      var configuration = Self.sample
      configuration.server = "server\(file(stream))"
      configurations.add(configuration, file: file(stream), section: stream)
    }
    return configurations
  }

  private func schedule(
    _ streams: String..., with configurations: MailConfigurations? = nil
  ) -> SpoolSchedule {
    var schedule = SpoolSchedule(with: configurations ?? self.configurations())
    for (index, stream) in streams.enumerated() { _ = schedule.add(report(stream), name: "\(index)") }
    return schedule
  }

  @Test(arguments: [
    (1, Duration.seconds(30)), (2, .seconds(60)), (3, .seconds(120)), (7, .seconds(1920)),
    (8, .seconds(3600)),
    (9, .seconds(3600)), (.max, .seconds(3600)), (0, .seconds(30)),
  ])
  func `pauses double up to an hour`(failures: Int, pause: Duration) {
    #expect(SpoolSchedule.Pauses().pause(after: failures) == pause)
  }

  /// Ends the one that is under way.
  private func finish(
    _ schedule: inout SpoolSchedule, _ outcome: MailOutcome?, at now: Instant
  ) -> SpoolSchedule.Ending? {
    let all = schedule.entries.compactMap { schedule.finish($0.name, outcome, at: now) }
    #expect(all.count < 2)
    return all.first
  }

  @Test func `one is sent at a time, in order`() {
    var schedule = schedule("a", "b")
    #expect(schedule.start(at: start)?.entry.name == "0")
    #expect(schedule.start(at: start) == nil && schedule.due(at: start) == nil)
    #expect(finish(&schedule, .sent(refused: []), at: start)?.isDone == true)
    #expect(schedule.start(at: start)?.entry.name == "1")
    #expect(finish(&schedule, .sent(refused: []), at: start)?.warnings == [])
    #expect(schedule.entries.isEmpty && schedule.due(at: start) == nil)
  }

  @Test func `a failure that passes delays all, is said once and taken back`() {
    var schedule = schedule("a", "b")
    var (now, warnings) = (start, [String]())
    for pause in [30, 60, 120, 240] {
      #expect(schedule.start(at: now)?.entry.name == "0")
      let ending = finish(&schedule, .transient("why.", mayHaveArrived: false), at: now)
      warnings += ending?.warnings.map(\.text) ?? []
      #expect(ending?.isDone == false && ending?.entry.isSealed == false)
      #expect(schedule.due(at: now) == now + .seconds(pause))
      now += .seconds(pause)
      #expect(schedule.start(at: now - .nanoseconds(1)) == nil)
    }
    #expect(
      warnings == [
        "a mail was not sent: why. It is tried again: see that the mail server is well. This is said once until mail is sent."
      ])
    _ = schedule.start(at: now)
    let ending = finish(&schedule, .sent(refused: []), at: now)
    #expect(ending?.warnings.map(\.isResolved) == [true])
    #expect(schedule.due(at: now) == now)
    _ = schedule.start(at: now)
    _ = finish(&schedule, .transient("why.", mayHaveArrived: false), at: now)
    #expect(schedule.due(at: now) == now + .seconds(30))
  }

  @Test func `a refused login stops all until there are new configurations, and is said once for each`() {
    var schedule = schedule("a", "b")
    _ = schedule.start(at: start)
    let ending = finish(&schedule, .denied("535."), at: start)
    #expect(ending?.isDone == false && ending?.entry.isSealed == false)
    #expect(
      ending?.warnings.map(\.text) == [
        "a mail was not sent: 535. It is tried again at a restart and at a reload of the configuration (SIGHUP), not before; what comes until then is kept."
      ])
    // Neither time, nor a new report, nor the end of the program is a reason to try again.
    let later = start + .seconds(10 * 365 * 86_400)
    #expect(schedule.due(at: later) == nil && schedule.start(at: later) == nil)
    #expect(schedule.add(report("a", "y"), name: "2")?.entry.report.body == "x\ny")
    schedule.restart()
    #expect(schedule.due(at: later) == nil && schedule.start(at: later) == nil)
    schedule.use(configurations())
    #expect(schedule.start(at: later)?.entry.report.body == "x\ny" && schedule.start(at: later) == nil)
    // The administrator has changed something: this is said again.
    #expect(finish(&schedule, .denied("535."), at: later)?.warnings.count == 1)
    schedule.use(configurations())
    _ = schedule.start(at: later)
    #expect(finish(&schedule, .sent(refused: []), at: later)?.warnings.map(\.isResolved) == [true])
    // Nothing is known of it after a new start.
    let restarted = SpoolSchedule(schedule.entries, with: configurations())
    #expect(restarted.due(at: later) == later)
  }

  @Test func `what comes while a login is refused is bounded`() {
    var schedule = schedule("a")
    _ = schedule.start(at: start)
    _ = finish(&schedule, .denied("535."), at: start)
    var dropped = 0
    for index in 1...1000 {
      dropped += schedule.add(report("s\(index)"), name: "\(index)")?.dropped.count ?? 0
    }
    #expect(
      schedule.entries.count == SpoolSchedule.mostEntries && dropped == 1001 - SpoolSchedule.mostEntries)
  }

  @Test func `a failure that does not pass stops all until a restart or for six hours`() {
    var schedule = schedule("a", "b")
    _ = schedule.start(at: start)
    let ending = finish(&schedule, .permanent("no."), at: start)
    #expect(ending?.warnings.map(\.code) == ["mail_failed"] && ending?.isDone == false)
    #expect(ending?.entry.isSealed == false)
    #expect(schedule.due(at: start) == start + .seconds(21_600))
    #expect(schedule.start(at: start + .seconds(21_599)) == nil)
    #expect(schedule.start(at: start + .seconds(21_600))?.entry.name == "0")
    #expect(finish(&schedule, .permanent("no."), at: start)?.warnings == [])
    schedule.restart()
    #expect(schedule.start(at: start)?.entry.name == "0")
  }

  @Test func `what waits is merged with the first identifier, what is under way or may have arrived is not`()
  {
    var schedule = SpoolSchedule(with: configurations())
    func add(_ body: String, _ name: String, stream: String = "a") -> String? {
      schedule.add(report(stream, body, name), name: name)?.entry.report.body
    }
    #expect(add("1\n", "1") == "1" && add("2", "2") == "1\n2" && add("x", "3", stream: "b") == "x")
    #expect(schedule.start(at: start)?.entry.report.messageID == "1@h")
    #expect(add("3", "4") == "3")
    _ = finish(&schedule, .transient("", mayHaveArrived: false), at: start)
    // The newest that waits.
    #expect(add("4", "5") == "3\n4")
    #expect(schedule.entries.map(\.name) == ["1", "3", "4"])
    let next = schedule.start(at: start + .seconds(30))
    #expect(next?.entry.report.body == "1\n2\n3\n4" && next?.entry.report.messageID == "1@h")
    #expect(next?.absorbed.map(\.name) == ["4"] && schedule.entries.map(\.name) == ["1", "3"])
    #expect(add("5", "5") == "5")
    let ending = finish(&schedule, .transient("", mayHaveArrived: true), at: start)
    #expect(ending?.entry.isSealed == true)
    // Once a server may have it, a failure that is certain changes nothing.
    #expect(schedule.entries.map(\.name) == ["3", "5", "1"])
    schedule.restart()
    for name in ["3", "5"] {
      #expect(schedule.start(at: start)?.entry.name == name)
      _ = finish(&schedule, .sent(refused: []), at: start)
    }
    #expect(schedule.start(at: start)?.entry.name == "1")
    #expect(finish(&schedule, .transient("", mayHaveArrived: false), at: start)?.entry.isSealed == true)
    #expect(add("6", "6") == "6")
  }

  @Test func `a sealed report is not added to`() {
    var schedule = SpoolSchedule(
      [SpoolEntry(name: "0", report: report("a", "1"), isSealed: true)], with: configurations())
    #expect(schedule.add(report("a", "2"), name: "1")?.entry.name == "1")
    #expect(schedule.entries.map(\.report.body) == ["1", "2"])
  }

  @Test func `a report that is refused stops no other, and nothing is added to it`() {
    var schedule = schedule("a", "b")
    #expect(schedule.start(at: start)?.entry.name == "0")
    let ending = finish(&schedule, .refused("554 no.", mayBeTakenLater: false), at: start)
    #expect(ending?.warnings.count == 1 && ending?.entry.isSealed == true)
    #expect(
      ending?.warnings.first?.text.contains(
        "the mail `s` was not sent: 554 no. It is tried again at a restart")
        == true)
    #expect(schedule.start(at: start)?.entry.name == "1")
    #expect(finish(&schedule, .sent(refused: []), at: start)?.warnings == [])
    #expect(schedule.add(report("a", "more"), name: "2")?.entry.report.body == "more")
    #expect(schedule.start(at: start)?.entry.name == "2")
    // Said once.
    #expect(finish(&schedule, .refused("554 no.", mayBeTakenLater: false), at: start)?.warnings == [])
    #expect(schedule.due(at: start) == nil)
    schedule.restart()
    #expect(schedule.due(at: start) == nil)
    schedule.use(configurations())
    #expect(schedule.start(at: start)?.absorbed == [])
    #expect(finish(&schedule, .sent(refused: []), at: start)?.warnings.map(\.isResolved) == [true])
  }

  @Test func `a report that is refused for now waits alone, and with others of its stream becomes one`() {
    var schedule = schedule("a", "b")
    var now = start
    for pause in [30, 60, 120] {
      #expect(schedule.start(at: now)?.entry.name == "0")
      let ending = finish(&schedule, .refused("451.", mayBeTakenLater: true), at: now)
      #expect(ending?.warnings.count == (pause == 30 ? 1 : 0) && ending?.entry.isSealed == false)
      if pause == 30 {
        #expect(schedule.start(at: now)?.entry.name == "1")
        #expect(finish(&schedule, .sent(refused: []), at: now)?.warnings == [])
      }
      #expect(schedule.due(at: now) == now + .seconds(pause))
      now += .seconds(pause)
    }
    #expect(schedule.add(report("a", "y"), name: "2")?.entry.report.body == "y")
    #expect(schedule.start(at: now)?.entry.report.body == "x\ny")
    #expect(finish(&schedule, .sent(refused: []), at: now)?.warnings.map(\.isResolved) == [true])
  }

  @Test func `each configuration fails alone`() {
    let two = configurations { $0 }
    var schedule = schedule("a", "b", "a", with: two)
    let first = schedule.start(at: start)
    #expect(first?.entry.name == "0" && first?.configuration.server == "servera")
    let second = schedule.start(at: start)
    #expect(second?.entry.name == "1" && second?.configuration.server == "serverb")
    #expect(schedule.start(at: start) == nil && schedule.due(at: start) == nil && schedule.isSending)
    let ending = schedule.finish("0", .denied("535."), at: start)
    #expect(ending?.warnings.first?.text.hasPrefix("a mail was not sent with a: 535.") == true)
    #expect(schedule.due(at: start) == nil)
    #expect(schedule.finish("1", .transient("why.", mayHaveArrived: false), at: start)?.warnings.count == 1)
    #expect(schedule.due(at: start) == start + .seconds(30))
  }

  @Test func `a report goes with its file, else with its section's, else it waits`() {
    let old = configurations { $0 + "1" }
    var schedule = SpoolSchedule(with: old)
    for (index, stream) in ["a", "b", "c"].enumerated() {
      var report = report(stream)
      report.configuration = stream + "1"
      _ = schedule.add(report, name: "\(index)")
    }
    #expect(schedule.withoutConfiguration.map(\.name) == ["2"])
    // As after a restart.
    var other = SpoolSchedule(schedule.entries, with: configurations(["a"]) { $0 + "2" })
    #expect(other.start(at: start)?.configuration.server == "servera2")
    #expect(other.withoutConfiguration.map(\.name) == ["1", "2"] && other.due(at: start) == nil)
    // A reload remembers those of before, once.
    schedule.use(configurations(["a"]) { $0 + "2" })
    #expect(schedule.start(at: start)?.configuration.server == "servera1")
    #expect(schedule.withoutConfiguration.map(\.name) == ["2"])
    schedule.use(configurations(["c"]) { $0 + "2" })
    #expect(schedule.withoutConfiguration.map(\.name) == ["1"])
  }

  @Test func `a repetition is left out where a report of its stream waits`() {
    var schedule = schedule("a")
    #expect(schedule.add(report("a", "again"), name: "1", repetition: true) == nil)
    _ = schedule.start(at: start)
    #expect(schedule.add(report("a", "again"), name: "1", repetition: true)?.entry.report.body == "again")
  }

  @Test func `a mail of several says how many more, and keeps its paragraphs`() {
    let one = report("a", "1\n\nfact", "1")
    var other = report("a", "2\n\nfact", "2")
    other.subject = "t"
    let merged = one.merged(with: other)?.merged(with: other)
    #expect(merged?.body == "1\n\nfact\n\n2\n\nfact\n\n2\n\nfact" && merged?.others == 2)
    let message = merged?.message(Self.sample, date: Timestamp(seconds: 1))
    #expect(message?.subject == "s (and 2 more)" && message?.messageID == "1@h")
    other.configuration = "another"
    #expect(one.merged(with: other) == nil)
  }

  @Test func `recipients that are refused for now get it later, others not again`() {
    var schedule = schedule("a", "b")
    _ = schedule.start(at: start)
    let refused = [
      RefusedRecipient(address: "x@h", reply: "550 no", mayBeTakenLater: false),
      RefusedRecipient(address: "y@h", reply: "450 later", mayBeTakenLater: true),
    ]
    let ending = finish(&schedule, .sent(refused: refused), at: start)
    #expect(ending?.isDone == false && ending?.entry.report.recipients == ["y@h"])
    #expect(ending?.warnings.map(\.code) == ["mail_refused"])
    #expect(schedule.start(at: start)?.entry.name == "1")
    _ = finish(&schedule, .sent(refused: []), at: start)
    #expect(schedule.due(at: start) == start + .seconds(480))
    #expect(schedule.add(report("a", "more"), name: "2")?.entry.report.body == "more")
    #expect(schedule.start(at: start + .seconds(480))?.entry.name == "0")
    #expect(finish(&schedule, .sent(refused: []), at: start)?.isDone == true)
  }

  @Test func `who is refused for long while others have it is given up`() {
    var schedule = schedule("a")
    let refused = [RefusedRecipient(address: "y@h", reply: "450 later", mayBeTakenLater: true)]
    _ = schedule.start(at: start)
    #expect(finish(&schedule, .sent(refused: refused), at: start)?.isDone == false)
    for attempt in 2...SpoolSchedule.mostAttemptsForSome {
      schedule.restart()
      _ = schedule.start(at: start)
      let ending = finish(&schedule, .refused("450.", mayBeTakenLater: true), at: start)
      #expect(ending?.isDone == (attempt == SpoolSchedule.mostAttemptsForSome))
      if ending?.isDone == true { #expect(ending?.warnings.map(\.code) == ["mail_refused"]) }
    }
    #expect(schedule.entries.isEmpty)
  }

  @Test func `an attempt that nobody knows the end of may have arrived`() {
    var schedule = schedule("a")
    _ = schedule.start(at: start)
    #expect(finish(&schedule, nil, at: start)?.entry.isSealed == true)
    #expect(finish(&schedule, nil, at: start) == nil)
  }

  @Test func `count and bytes are bounded, the oldest goes first`() {
    var schedule = SpoolSchedule(with: configurations())
    var dropped: [String] = []
    for index in 0..<(SpoolSchedule.mostEntries + 3) {
      dropped +=
        schedule.add(report(index == 0 ? "a" : "s\(index)"), name: "\(index)")?.dropped.map(\.name) ?? []
      if index == 0 { _ = schedule.start(at: start) }
    }
    // What is under way stays.
    #expect(dropped == ["1", "2", "3"] && schedule.entries.count == SpoolSchedule.mostEntries)
    let long = String(repeating: "é", count: MailReport.mostBody)
    var bytes = 0
    for index in 0..<200 {
      _ = schedule.add(report("long\(index)", long), name: "long\(index)")
      bytes = schedule.entries.reduce(0) { $0 + $1.report.body.utf8.count }
      #expect(bytes <= SpoolSchedule.mostBytes)
    }
    #expect(bytes > SpoolSchedule.mostBytes - 2 * MailReport.mostBody)
    let last = schedule.entries.last?.report.body ?? ""
    #expect(last.utf8.count <= MailReport.mostBody && last.hasSuffix("é\n(the text was longer)"))
    // Too long together.
    #expect(schedule.add(report("long199", long), name: "z")?.entry.name == "z")
  }

  /// An old report that grows is no longer old: what it says last is the newest of all.
  @Test func `what is added to the oldest report stays, others make room`() {
    var schedule = SpoolSchedule(with: configurations())
    func body(_ count: Int) -> String { String(repeating: "x", count: count) }
    _ = schedule.add(report("a", body(60_000)), name: "0")
    // With these all places for bytes are taken but 100.
    let full = SpoolSchedule.mostBytes / MailReport.mostBody - 1
    for index in 1...full {
      _ = schedule.add(report("s\(index)", body(MailReport.mostBody)), name: "\(index)")
    }
    _ = schedule.add(report("b", body(MailReport.mostBody - 60_100)), name: "last")
    let addition = schedule.add(report("a", "the newest" + body(190)), name: "none")
    #expect(addition?.dropped.map(\.name) == ["1"])
    #expect(addition?.entry.name == "0" && addition?.entry.report.body.contains("the newest") == true)
    #expect(schedule.entries.first == addition?.entry && schedule.entries.count == full + 1)
    #expect(schedule.entries.reduce(0) { $0 + $1.report.body.utf8.count } <= SpoolSchedule.mostBytes)
  }

  @Test func `what was refused is dropped first`() {
    var schedule = schedule("a", "b", "c", with: configurations(["a", "b", "c"]))
    _ = schedule.start(at: start)
    _ = finish(&schedule, .sent(refused: []), at: start)
    _ = schedule.start(at: start)
    _ = finish(&schedule, .refused("", mayBeTakenLater: false), at: start)
    _ = schedule.add(report("a"), name: "3")
    var dropped: [String] = []
    for index in 4...(SpoolSchedule.mostEntries + 3) {
      dropped += schedule.add(report("s\(index)"), name: "\(index)")?.dropped.map(\.name) ?? []
    }
    // Then the oldest.
    #expect(dropped == ["1", "2", "3"].prefix(dropped.count).map { $0 } && dropped.count > 1)
  }

  @Test(arguments: [nil, ["a@b", "c@d"]])
  func `a report is the same after its file`(recipients: [String]?) throws {
    let report = MailReport(
      stream: "a\u{1}", configuration: recipients == nil ? nil : "/x\n", subject: hostileText,
      body: "1\n\(hostileText)\t\u{1f600}", messageID: "1@h",
      created: Timestamp(seconds: -5, utcOffset: -3600), others: 3,
      recipients: recipients)
    #expect(MailReport(file: report.file) == report)
    for length in 0..<(report.file.count - 1) {
      #expect(MailReport(file: Array(report.file.prefix(length))) == nil)
    }
  }
}
