import Model

@testable import Notifications

func sampleAlert(
  _ state: Alert.State = .firing, rule: String = "web", subject: String = "wget",
  since: Int64 = 1_351_771_100,
  direction: Alert.Direction = .received, value: Double = 123.45, threshold: Double = 50,
  pids: [Int32] = [7, 4711],
  interval: Duration = .seconds(10)
) -> Alert {
  Alert(
    rule: rule, subject: subject, direction: direction, state: state, value: .kibibytesPerSecond(value),
    threshold: .kibibytesPerSecond(threshold), interval: interval, pids: pids,
    since: Timestamp(seconds: since, nanoseconds: 5_000_000, utcOffset: 3600),
    time: Timestamp(seconds: 1_351_767_600, utcOffset: 3600))
}

/// What may stand in a stranger's command line.
let hostileSubject = "$(touch /tmp/x); \n\"'`id` \\ %s \u{1b}[2J ${BWMON_ID} | > /tmp/y & \u{202e}é日本"
