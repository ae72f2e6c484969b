import Model

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
