import Foundation
import Model
import Testing

@testable import Output

/// Alerts of probes, and how targets were, in every form.
@Suite struct ProbeAlertTests {
  private func alert(
    _ state: Alert.State = .firing, _ measure: ProbeAlert.Measure = .loss, value: Double = 12,
    target: ProbeTarget = sampleTarget, rule: String = "paths", since: Int64 = 1_795_255_100,
    top: [ProbeAlert.Share] = []
  ) -> ProbeAlert {
    var alert = ProbeAlert(
      rule: rule, target: target, measure: measure, state: state, value: value, threshold: 10,
      interval: .milliseconds(1500), since: Timestamp(seconds: since), time: sampleTime)
    alert.top = top
    return alert
  }

  private let top = [
    ProbeAlert.Share(name: "Backup", direction: .sent, percent: 93.6),
    ProbeAlert.Share(name: "web", direction: .sent, percent: 6.4),
  ]

  private func values(_ alert: ProbeAlert) -> [String: String] {
    Dictionary(uniqueKeysWithValues: Model.Notification(alert, host: "h").facts.map { ($0.name, $0.value) })
  }

  @Test func `every fact has its name, in the order of the manual`() {
    let notification = Model.Notification(alert(top: top), host: "gate.example.org")
    let facts = notification.facts.map { "\($0.name)=\($0.value)" }
    #expect(
      facts.filter { !$0.hasPrefix("BWMON_ID=") } == [
        "BWMON_RULE=paths", "BWMON_STATE=firing", "BWMON_SUBJECT=google.com", "BWMON_ADDRESS=172.217.3.14",
        "BWMON_DIRECTION=", "BWMON_MEASURE=loss", "BWMON_VALUE=12.00", "BWMON_THRESHOLD=10.00",
        "BWMON_UNIT=%", "BWMON_INTERVAL=1.500", "BWMON_SINCE=2026-11-21T09:58:20.000Z",
        "BWMON_TIME=2026-11-21T10:00:01.007Z", "BWMON_COUNT=1", "BWMON_REASON=",
        "BWMON_TOP=Backup 94 % of sent bytes; web 6 % of sent bytes", "BWMON_HOST=gate.example.org",
      ])
    #expect(facts.count == 17)
    #expect(notification.rule == "paths")
    #expect(notification.line == ProbeAlertLine(alert(top: top)).description)
  }

  @Test(arguments: [
    (Alert.State.firing, "firing", "1", "", Model.Notification.Stage.began),
    (.repeated(count: 2), "repeat", "2", "", .goesOn),
    (.resolved(.below), "resolved", "", "below", .ended(.over)),
    (.resolved(.gone), "resolved", "", "gone", .ended(.over)),
    (.resolved(.removed), "resolved", "", "removed", .ended(.ruleRemoved)),
  ])
  func `a state has its words and stage`(
    state: Alert.State, word: String, count: String, reason: String, stage: Model.Notification.Stage
  ) {
    let facts = values(alert(state))
    #expect(facts["BWMON_STATE"] == word && facts["BWMON_COUNT"] == count && facts["BWMON_REASON"] == reason)
    #expect(Model.Notification(alert(state), host: "h").stage == stage)
  }

  @Test func `identifier and episode are those of the raising`() {
    let states = [Alert.State.firing, .repeated(count: 2), .resolved(.below)]
    #expect(Set(states.map { values(alert($0))["BWMON_ID"] }).count == 1)
    #expect(Set(states.map { Model.Notification(alert($0, value: 0), host: "h").episode }).count == 1)
    let others = [
      alert(), alert(.firing, .roundTrip), alert(.firing, .down), alert(rule: "b"), alert(since: 1),
      alert(target: ProbeTarget(name: "b", address: sampleTarget.address)),
    ]
    #expect(Set(others.map { values($0)["BWMON_ID"] }).count == 6)
    #expect(Set(others.map { Model.Notification($0, host: "h").episode }).count == 6)
  }

  @Test(arguments: [
    (Alert.State.firing, ProbeAlert.Measure.loss, "google.com exceeding 'loss' limit 10.00: 12.00 %"),
    (.repeated(count: 3), .roundTrip, "google.com exceeding 'rtt' limit 10.00: 12.00 ms"),
    (.resolved(.below), .loss, "google.com no longer exceeding 'loss' limit 10.00: 12.00 %"),
    (.firing, .down, "google.com is down"), (.repeated(count: 2), .down, "google.com is down"),
    (.resolved(.below), .down, "google.com is up again"),
    (.resolved(.gone), .down, "google.com 'down' limit: the target is not probed any more"),
    (.resolved(.removed), .roundTrip, "google.com 'rtt' limit removed by a new configuration"),
  ])
  func `the line says it to people`(state: Alert.State, measure: ProbeAlert.Measure, line: String) {
    #expect(ProbeAlertLine(alert(state, measure)).description == "2026-11-21 11:00:01: \(line)")
  }

  @Test func `the line names who moved most, and cannot drive a terminal`() {
    #expect(
      ProbeAlertLine(alert(top: top)).description
        == "2026-11-21 11:00:01: google.com exceeding 'loss' limit 10.00: 12.00 %"
        + "; Backup 94 % of sent bytes; web 6 % of sent bytes")
    let hostile = alert(
      target: ProbeTarget(name: hostileName, address: .anyV4),
      top: [ProbeAlert.Share(name: hostileName, direction: .received, percent: 99.6)])
    let line = ProbeAlertLine(hostile).description
    #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{202e}" || $0.value == 0x7f })
    #expect(line.hasSuffix("100 % of received bytes"))
    #expect(values(hostile)["BWMON_SUBJECT"].map { Array($0.utf8) } == Array(hostileName.utf8))
  }

  @Test func `this host's network has no address`() {
    let local = alert(.firing, .down, target: ProbeTarget(name: "local connectivity", address: .anyV4))
    #expect(values(local)["BWMON_ADDRESS"] == "")
    var renderer = JSONRenderer(origin: sampleOrigin)
    #expect(renderer.render(.probeAlert(local)).contains(#""address":"","measure":"down""#))
  }

  @Test(arguments: [
    (Alert.State.firing, #""state":"firing""#, #""count":1"#),
    (.repeated(count: 2), #""state":"firing""#, #""count":2"#),
    (.resolved(.gone), #""state":"resolved""#, #""reason":"gone""#),
  ])
  func `an alert is one line of JSON`(state: Alert.State, word: String, end: String) throws {
    var renderer = JSONRenderer(origin: sampleOrigin)
    let text = renderer.render(.probeAlert(alert(state, .roundTrip, value: 80.0625, top: [top[0]])))
    #expect(
      text == #"{"schema":1,"event":"alert","time":"2026-11-21T10:00:01.007Z","# + word
        + #","rule":"paths","subject":"google.com","address":"172.217.3.14","measure":"rtt","value":80.062,"#
        + #""threshold":10.000,"unit":"ms","interval":1.500,"since":"2026-11-21T09:58:20.000Z","# + end
        + #","top":[{"name":"Backup","direction":"sent","percent":93.6}],"host":"server-1","version":"2.0.0"}"#
        + "\n")
    _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
  }

  private let states = [
    ProbeState(name: "gw", isUp: true, loss: 0, roundTrip: 0.4104),
    ProbeState(name: "web", isUp: false, loss: nil, roundTrip: nil),
    ProbeState(name: "scan", isUp: true, loss: nil, roundTrip: nil),
    ProbeState(name: "shop", isUp: true, loss: nil, roundTrip: 12.345),
    ProbeState(name: "isp", isUp: false, loss: 100, roundTrip: nil),
  ]

  @Test func `an alert of bandwidth carries how the targets were`() throws {
    var alert = OutputTests.alert(.firing)
    var renderer = JSONRenderer(origin: sampleOrigin)
    #expect(!renderer.render(.alert(alert)).contains("probes"))
    alert.probes = states + [ProbeState(name: "lab", isUp: false, loss: nil, roundTrip: nil, hops: 30)]
    let text = renderer.render(.alert(alert))
    #expect(
      text.contains(
        #""probes":[{"name":"gw","up":true,"loss":0.0,"rtt":0.410},"#
          + #"{"name":"web","up":false,"loss":null,"rtt":null},{"name":"scan","up":true,"loss":null,"rtt":null},"#
          + #"{"name":"shop","up":true,"loss":null,"rtt":12.345},{"name":"isp","up":false,"loss":100.0,"rtt":null},"#
          + #"{"name":"lab","up":null,"loss":null,"rtt":null,"reached":false,"hops":30}]"#
      ))
    _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
    let fact = Model.Notification(alert, host: "h").facts.first { $0.name == "BWMON_PROBES" }
    #expect(
      fact?.value == "gw 0.0 % loss 0.41 ms; web down; scan up; shop 12.35 ms; isp down; lab not reached")
  }

  @Test func `neither plain lines nor the table have alerts of probes`() {
    for style in PlainRenderer.Style.allCases {
      var plain = PlainRenderer(style: style)
      #expect(plain.render(.probeAlert(alert())).isEmpty)
    }
    var table = TableRenderer(width: 80, height: 24, color: false)
    #expect(table.render(.probeAlert(alert())).isEmpty)
  }

  private func frame(_ probes: [ProbeState], width: Int = 200) -> [String] {
    var report = report([process("a", total: (1, 2))])
    report.probes = probes
    return TableRenderer(width: width, height: 40, color: false).frame(report)
  }

  @Test func `the table has a line of targets, those that are down first`() {
    #expect(!frame([]).contains { $0.contains("probes:") })
    let line = "probes: web down · isp down · gw 0.0 % loss 0.41 ms · scan up · shop 12.35 ms"
    #expect(frame(states).contains { $0.trimmingSuffix { $0 == " " } == line })
  }

  @Test func `the line is broken between targets`() throws {
    let lines = frame(states, width: 40)
    let first = try #require(lines.firstIndex { $0.contains("probes:") })
    #expect(
      lines[first...].prefix(3).map { String($0.trimmingSuffix { $0 == " " }) } == [
        "probes: web down · isp down", "gw 0.0 % loss 0.41 ms · scan up", "shop 12.35 ms",
      ])
    #expect(lines.allSatisfy { $0.displayWidth <= 40 })
  }

  @Test func `what is only traced has its hops`() {
    let probes = ([(5, true), (1, true), (30, false)] as [(Int, Bool)]).map { hops, isUp in
      ProbeState(name: "to\(hops)", isUp: isUp, loss: nil, roundTrip: nil, hops: hops)
    }
    let line = frame(probes, width: 100).first { $0.contains("probes:") } ?? ""
    #expect(line.contains("probes: to30 not reached · to5 5 hops · to1 1 hop"))
  }

  @Test(arguments: [(12, nil), (13, "and 1 more"), (500, "and 488 more")] as [(Int, String?)])
  func `of many targets twelve are named`(count: Int, rest: String?) {
    let probes = (1...count).map { ProbeState(name: "t\($0)", isUp: $0 != count, loss: nil, roundTrip: nil) }
    let line = frame(probes, width: 400).first { $0.contains("probes:") } ?? ""
    #expect(line.contains("probes: t\(count) down · t1 up"))
    #expect(line.split(separator: "·").count == 12 + (rest == nil ? 0 : 1))
    #expect(line.contains("more") == (rest != nil))
    if let rest { #expect(line.contains(" · \(rest)")) }
  }
}

extension String {
  fileprivate func trimmingSuffix(_ isTrimmed: (Character) -> Bool) -> Substring {
    var text = self[...]
    while let last = text.last, isTrimmed(last) { text.removeLast() }
    return text
  }
}
