import Model
import Testing

@testable import Notifications

@Suite struct CommandEnvironmentTests {
  @Test func `every fact has its variable`() {
    let facts = CommandEnvironment(sampleAlert(), host: "gate.example.org").variables
    #expect(
      facts.filter { $0.key != "BWMON_ID" } == [
        "BWMON_RULE": "web", "BWMON_STATE": "firing", "BWMON_SUBJECT": "wget", "BWMON_DIRECTION": "in",
        "BWMON_VALUE": "123.45", "BWMON_THRESHOLD": "50.00", "BWMON_UNIT": "kB/s", "BWMON_INTERVAL": "10",
        "BWMON_SINCE": "2012-11-01T11:58:20.005Z", "BWMON_TIME": "2012-11-01T11:00:00.000Z",
        "BWMON_COUNT": "1",
        "BWMON_REASON": "", "BWMON_PIDS": "7 4711", "BWMON_PIDS_OMITTED": "0",
        "BWMON_HOST": "gate.example.org",
      ])
  }

  @Test(arguments: [
    (Alert.State.firing, "firing", "1", ""), (.repeated(count: 2), "repeat", "2", ""),
    (.resolved(.below), "resolved", "", "below"), (.resolved(.gone), "resolved", "", "gone"),
    (.resolved(.removed), "resolved", "", "removed"),
  ])
  func `a state has its words`(state: Alert.State, word: String, count: String, reason: String) {
    let facts = CommandEnvironment(sampleAlert(state), host: "h").variables
    #expect(facts["BWMON_STATE"] == word)
    #expect(facts["BWMON_COUNT"] == count)
    #expect(facts["BWMON_REASON"] == reason)
  }

  @Test(arguments: [
    (Duration.seconds(1), "1"), (.milliseconds(1500), "1.500"), (.milliseconds(100), "0.100"),
    (.seconds(3600), "3600"),
  ])
  func `whole seconds can be compared by a shell`(interval: Duration, text: String) {
    #expect(
      CommandEnvironment(sampleAlert(interval: interval), host: "h").variables["BWMON_INTERVAL"] == text)
  }

  @Test func `a hostile subject is verbatim`() {
    let facts = CommandEnvironment(sampleAlert(rule: hostileSubject, subject: hostileSubject), host: "h")
      .variables
    #expect(facts["BWMON_SUBJECT"] == hostileSubject)
    #expect(facts["BWMON_RULE"] == hostileSubject)
  }

  @Test(arguments: [
    ("a\0b", "a\u{fffd}b"), ("\0", "\u{fffd}"), ("\0\0x", "\u{fffd}\u{fffd}x"), ("", ""), ("=", "="),
  ])
  func `only NUL is replaced`(subject: String, value: String) {
    #expect(CommandEnvironment(sampleAlert(subject: subject), host: "h").variables["BWMON_SUBJECT"] == value)
  }

  @Test(arguments: ["x", "é", "日", "🙂", "\0"])
  func `no variable is longer than the kernel takes`(character: String) throws {
    let subject = String(repeating: character, count: 200_000)
    let facts = CommandEnvironment(
      sampleAlert(subject: subject, pids: Array(repeating: 4_194_304, count: 50_000)), host: subject
    ).variables
    for (name, value) in facts { #expect(name.utf8.count + value.utf8.count + 2 < 131_072) }
    let shown = try #require(facts["BWMON_SUBJECT"])
    #expect(shown.utf8.count > CommandEnvironment.textLimit - 4 && !shown.utf8.contains(0))
    #expect(facts["BWMON_PIDS"]?.split(separator: " ").count == 4096)
    #expect(facts["BWMON_PIDS_OMITTED"] == "45904")
  }

  @Test func `the identifier is that of the raising`() throws {
    func identifier(_ alert: Alert) throws -> String {
      try #require(CommandEnvironment(alert, host: "h").variables["BWMON_ID"])
    }
    let first = try identifier(sampleAlert())
    #expect(first.utf8.count == 16 && UInt64(first, radix: 16) != nil)
    #expect(try identifier(sampleAlert(.repeated(count: 3), value: 99)) == first)
    #expect(try identifier(sampleAlert(.resolved(.gone), pids: [])) == first)
    let others = [
      sampleAlert(rule: "wea"), sampleAlert(subject: "curl"), sampleAlert(since: 1),
      sampleAlert(direction: .sent),
      sampleAlert(rule: "we", subject: "bwget"), sampleAlert(rule: "webw", subject: "get"),
    ]
    #expect(Set(try others.map(identifier) + [first]).count == 7)
  }
}
