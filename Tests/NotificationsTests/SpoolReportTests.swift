import Curl
import Model
import SystemRuntime
import Testing

@testable import Notifications

/// Reports that wait: which become one mail, which make room for others, and what their files keep.
@Suite struct SpoolReportTests {
  private let start = Instant.now

  @Test func `what comes while a login is refused is bounded`() {
    var schedule = sampleSchedule("a")
    _ = schedule.start(at: start)
    _ = schedule.finish(.denied("535."), at: start)
    var dropped = 0
    for index in 1...1000 {
      dropped += schedule.add(sampleReport("s\(index)"), name: "\(index)")?.dropped.count ?? 0
    }
    #expect(
      schedule.entries.count == SpoolSchedule.mostEntries && dropped == 1001 - SpoolSchedule.mostEntries)
  }

  @Test func `what waits is merged with the first identifier, what is under way or may have arrived is not`()
  {
    var schedule = SpoolSchedule(with: sampleConfigurations())
    func add(_ body: String, _ name: String, stream: String = "a") -> String? {
      schedule.add(sampleReport(stream, body, name), name: name)?.entry.report.body
    }
    #expect(add("1\n", "1") == "1" && add("2", "2") == "1\n2" && add("x", "3", stream: "b") == "x")
    #expect(schedule.start(at: start)?.entry.report.messageID == "1@h")
    #expect(add("3", "4") == "3")
    _ = schedule.finish(.transient("", mayHaveArrived: false), at: start)
    // The newest that waits.
    #expect(add("4", "5") == "3\n4")
    #expect(schedule.entries.map(\.name) == ["1", "3", "4"])
    let next = schedule.start(at: start + .seconds(30))
    #expect(next?.entry.report.body == "1\n2\n3\n4" && next?.entry.report.messageID == "1@h")
    #expect(next?.absorbed.map(\.name) == ["4"] && schedule.entries.map(\.name) == ["1", "3"])
    #expect(add("5", "5") == "5")
    let ending = schedule.finish(.transient("", mayHaveArrived: true), at: start)
    #expect(ending?.entry.isSealed == true)
    // Once a server may have it, a failure that is certain changes nothing.
    #expect(schedule.entries.map(\.name) == ["3", "5", "1"])
    schedule.restart()
    for name in ["3", "5"] {
      #expect(schedule.start(at: start)?.entry.name == name)
      _ = schedule.finish(.sent(refused: []), at: start)
    }
    #expect(schedule.start(at: start)?.entry.name == "1")
    #expect(schedule.finish(.transient("", mayHaveArrived: false), at: start)?.entry.isSealed == true)
    #expect(add("6", "6") == "6")
  }

  @Test func `a sealed report is not added to`() {
    var schedule = SpoolSchedule(
      [SpoolEntry(name: "0", report: sampleReport("a", "1"), isSealed: true)], with: sampleConfigurations())
    #expect(schedule.add(sampleReport("a", "2"), name: "1")?.entry.name == "1")
    #expect(schedule.entries.map(\.report.body) == ["1", "2"])
  }

  @Test func `a repetition is left out where a report of its stream waits`() {
    var schedule = sampleSchedule("a")
    #expect(schedule.add(sampleReport("a", "again"), name: "1", repetition: true) == nil)
    _ = schedule.start(at: start)
    #expect(
      schedule.add(sampleReport("a", "again"), name: "1", repetition: true)?.entry.report.body == "again")
  }

  @Test func `a mail of several says how many more, and keeps its paragraphs`() {
    let one = sampleReport("a", "1\n\nfact", "1")
    var other = sampleReport("a", "2\n\nfact", "2")
    other.subject = "t"
    let merged = one.merged(with: other)?.merged(with: other)
    #expect(merged?.body == "1\n\nfact\n\n2\n\nfact\n\n2\n\nfact" && merged?.others == 2)
    let message = merged?.message(sampleMailConfiguration, date: Timestamp(seconds: 1))
    #expect(message?.subject == "s (and 2 more)" && message?.messageID == "1@h")
    other.configuration = "another"
    #expect(one.merged(with: other) == nil)
  }

  @Test func `count and bytes are bounded, the oldest goes first`() {
    var schedule = SpoolSchedule(with: sampleConfigurations())
    var dropped: [String] = []
    for index in 0..<(SpoolSchedule.mostEntries + 3) {
      dropped +=
        schedule.add(sampleReport(index == 0 ? "a" : "s\(index)"), name: "\(index)")?.dropped.map(\.name)
        ?? []
      if index == 0 { _ = schedule.start(at: start) }
    }
    // What is under way stays.
    #expect(dropped == ["1", "2", "3"] && schedule.entries.count == SpoolSchedule.mostEntries)
    let long = String(repeating: "é", count: MailReport.mostBody)
    var bytes = 0
    for index in 0..<200 {
      _ = schedule.add(sampleReport("long\(index)", long), name: "long\(index)")
      bytes = schedule.entries.reduce(0) { $0 + $1.report.body.utf8.count }
      #expect(bytes <= SpoolSchedule.mostBytes)
    }
    #expect(bytes > SpoolSchedule.mostBytes - 2 * MailReport.mostBody)
    let last = schedule.entries.last?.report.body ?? ""
    #expect(last.utf8.count <= MailReport.mostBody && last.hasSuffix("é\n(the text was longer)"))
    // Too long together.
    #expect(schedule.add(sampleReport("long199", long), name: "z")?.entry.name == "z")
  }

  /// An old report that grows is no longer old: what it says last is the newest of all.
  @Test func `what is added to the oldest report stays, others make room`() {
    var schedule = SpoolSchedule(with: sampleConfigurations())
    func body(_ count: Int) -> String { String(repeating: "x", count: count) }
    _ = schedule.add(sampleReport("a", body(60_000)), name: "0")
    // With these all places for bytes are taken but 100.
    let full = SpoolSchedule.mostBytes / MailReport.mostBody - 1
    for index in 1...full {
      _ = schedule.add(sampleReport("s\(index)", body(MailReport.mostBody)), name: "\(index)")
    }
    _ = schedule.add(sampleReport("b", body(MailReport.mostBody - 60_100)), name: "last")
    let addition = schedule.add(sampleReport("a", "the newest" + body(190)), name: "none")
    #expect(addition?.dropped.map(\.name) == ["1"])
    #expect(addition?.entry.name == "0" && addition?.entry.report.body.contains("the newest") == true)
    #expect(schedule.entries.first == addition?.entry && schedule.entries.count == full + 1)
    #expect(schedule.entries.reduce(0) { $0 + $1.report.body.utf8.count } <= SpoolSchedule.mostBytes)
  }

  @Test func `what was refused is dropped first`() {
    var schedule = sampleSchedule("a", "b", "c", with: sampleConfigurations(["a", "b", "c"]))
    _ = schedule.start(at: start)
    _ = schedule.finish(.sent(refused: []), at: start)
    _ = schedule.start(at: start)
    _ = schedule.finish(.refused("", mayBeTakenLater: false), at: start)
    _ = schedule.add(sampleReport("a"), name: "3")
    var dropped: [String] = []
    for index in 4...(SpoolSchedule.mostEntries + 3) {
      dropped += schedule.add(sampleReport("s\(index)"), name: "\(index)")?.dropped.map(\.name) ?? []
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
