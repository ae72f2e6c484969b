import Curl
import Model
import Testing

@testable import Notifications

func sampleNotification(
  _ stage: Model.Notification.Stage = .began, rule: String = "web", subject: String = "wget",
  since: Int64 = 1_351_771_100, aspect: String = "received", facts: [Model.Notification.Fact]? = nil,
  line: String? = nil
) -> Model.Notification {
  let words: (state: String, reason: String) =
    switch stage {
    case .began: ("firing", "")
    case .goesOn: ("repeat", "")
    case .ended(.over): ("resolved", "over")
    case .ended(.ruleRemoved): ("resolved", "removed")
    case .single: ("changed", "")
    }
  return Notification(
    episode: .init(
      rule: rule, subject: subject, aspect: aspect,
      since: Timestamp(seconds: since, nanoseconds: 5_000_000, utcOffset: 3600)),
    stage: stage,
    facts: facts ?? [
      .init("BWMON_RULE", rule), .init("BWMON_STATE", words.state), .init("BWMON_SUBJECT", subject),
      .init("BWMON_REASON", words.reason), .init("BWMON_HOST", "gate"),
    ],
    line: line ?? "2012-11-01 12:00:00: \(subject.escapingControlCharacters.shortened(to: 50)) \(words.state)"
  )
}

/// What may stand in a stranger's command line.
let hostileText = "$(touch /tmp/x); \n\"'`id` \\ %s \u{1b}[2J ${BWMON_ID} | > /tmp/y & \u{202e}é日本"

/// A report that waits to be mailed.
func sampleReport(_ stream: String = "a", _ body: String = "x", _ id: String = "id") -> MailReport {
  MailReport(
    stream: stream, subject: "s", body: body, messageID: "\(id)@h", created: Timestamp(seconds: 1))
}

/// How to send to nobody.
let sampleMailConfiguration = MailConfiguration(
  from: "a@h", to: ["x@h", "y@h"], server: "h", port: 25, user: nil, password: "", isImplicitTLS: false,
  needsTLS: true, verifies: true, timeout: nil, authorities: nil)

/// Each of the streams with a configuration, by default all with the same.
func sampleConfigurations(
  _ streams: [String] = ["a", "b"], file: (String) -> String = { _ in "" }
) -> MailConfigurations {
  var configurations = MailConfigurations()
  for stream in streams {
    var configuration = sampleMailConfiguration
    configuration.server = "server\(file(stream))"
    configurations.add(configuration, file: file(stream), section: stream)
  }
  return configurations
}

/// A schedule with a report of each of the streams, named by its place.
func sampleSchedule(
  _ streams: String..., with configurations: MailConfigurations = sampleConfigurations()
) -> SpoolSchedule {
  var schedule = SpoolSchedule(with: configurations)
  for (index, stream) in streams.enumerated() { _ = schedule.add(sampleReport(stream), name: "\(index)") }
  return schedule
}

extension SpoolSchedule {
  /// Ends the one that is under way.
  mutating func finish(_ outcome: MailOutcome?, at now: Instant) -> Ending? {
    let all = entries.map(\.name).compactMap { finish($0, outcome, at: now) }
    #expect(all.count < 2)
    return all.first
  }
}
