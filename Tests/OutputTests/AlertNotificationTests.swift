import Model
import Output
import Testing

@Suite struct AlertNotificationTests {
  private func values(_ alert: Alert, host: String = "h") -> [String: String] {
    Dictionary(uniqueKeysWithValues: Notification(alert, host: host).facts.map { ($0.name, $0.value) })
  }

  @Test func `every fact has its name, in the order of the manual`() {
    let notification = Notification(sampleAlert(), host: "gate.example.org")
    #expect(
      notification.facts.map { "\($0.name)=\($0.value)" } == [
        "BWMON_RULE=web", "BWMON_STATE=firing", "BWMON_SUBJECT=wget", "BWMON_DIRECTION=in",
        "BWMON_VALUE=123.45", "BWMON_THRESHOLD=50.00", "BWMON_UNIT=kB/s", "BWMON_INTERVAL=10",
        "BWMON_SINCE=2012-11-01T11:58:20.005Z", "BWMON_TIME=2012-11-01T11:00:00.000Z", "BWMON_COUNT=1",
        "BWMON_REASON=", "BWMON_PIDS=7 4711", "BWMON_PIDS_OMITTED=0", "BWMON_ID=cc88cc5f37493f49",
        "BWMON_HOST=gate.example.org", "BWMON_PROBES=",
      ])
    #expect(notification.rule == "web")
  }

  @Test(arguments: [
    (Alert.State.firing, "firing", "1", ""), (.repeated(count: 2), "repeat", "2", ""),
    (.resolved(.below), "resolved", "", "below"), (.resolved(.gone), "resolved", "", "gone"),
    (.resolved(.removed), "resolved", "", "removed"),
  ])
  func `a state has its words`(state: Alert.State, word: String, count: String, reason: String) {
    let facts = values(sampleAlert(state))
    #expect(facts["BWMON_STATE"] == word)
    #expect(facts["BWMON_COUNT"] == count)
    #expect(facts["BWMON_REASON"] == reason)
  }

  @Test(arguments: [
    (Alert.State.firing, Notification.Stage.began), (.repeated(count: 2), .goesOn),
    (.resolved(.below), .ended(.over)), (.resolved(.gone), .ended(.over)),
    (.resolved(.removed), .ended(.ruleRemoved)),
  ])
  func `a state has its stage, and its line`(state: Alert.State, stage: Notification.Stage) {
    let notification = Notification(sampleAlert(state), host: "h")
    #expect(notification.stage == stage)
    #expect(notification.line == AlertLine(sampleAlert(state)).description)
  }

  @Test(arguments: [
    (Duration.seconds(1), "1"), (.milliseconds(1500), "1.500"), (.milliseconds(100), "0.100"),
    (.seconds(3600), "3600"),
  ])
  func `whole seconds can be compared by a shell`(interval: Duration, text: String) {
    #expect(values(sampleAlert(interval: interval))["BWMON_INTERVAL"] == text)
  }

  @Test func `a hostile subject is verbatim`() {
    let facts = values(sampleAlert(rule: hostileSubject, subject: hostileSubject), host: hostileSubject)
    for name in ["BWMON_RULE", "BWMON_SUBJECT", "BWMON_HOST"] { #expect(facts[name] == hostileSubject) }
  }

  @Test(arguments: [(0, 0), (1, 0), (4096, 0), (4097, 1), (50_000, 45_904)])
  func `of many processes some are named and the others counted`(count: Int, omitted: Int) {
    let facts = values(sampleAlert(pids: Array(repeating: 4_194_304, count: count)))
    #expect(facts["BWMON_PIDS"]?.split(separator: " ").count == count - omitted)
    #expect(facts["BWMON_PIDS_OMITTED"] == String(omitted))
  }

  @Test func `identifier and episode are those of the raising`() throws {
    func identity(_ alert: Alert) throws -> String {
      try #require(values(alert)["BWMON_ID"])
    }
    func episode(_ alert: Alert) -> Notification.Episode { Notification(alert, host: "h").episode }
    let first = try identity(sampleAlert())
    #expect(first.utf8.count == 16 && UInt64(first, radix: 16) != nil)
    let same = [
      sampleAlert(.repeated(count: 3), value: 99), sampleAlert(.resolved(.gone), pids: []),
      sampleAlert(.resolved(.removed), threshold: 1),
    ]
    for alert in same {
      #expect(try identity(alert) == first)
      #expect(episode(alert) == episode(sampleAlert()))
    }
    let others = [
      sampleAlert(rule: "wea"), sampleAlert(subject: "curl"), sampleAlert(since: 1),
      sampleAlert(direction: .sent),
      sampleAlert(rule: "we", subject: "bwget"), sampleAlert(rule: "webw", subject: "get"),
    ]
    #expect(Set(try others.map(identity) + [first]).count == 7)
    #expect(Set(others.map(episode) + [episode(sampleAlert())]).count == 7)
  }
}
