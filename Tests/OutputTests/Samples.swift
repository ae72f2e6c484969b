import Model
import Output

/// A moment whose local time is an hour ahead of UTC.
let sampleTime = Timestamp(seconds: 1_795_255_201, nanoseconds: 7_000_000, utcOffset: 3600)

/// Where sample lines come from.
let sampleOrigin = JSONRenderer.Origin(host: "server-1", version: "2.0.0")

extension Renderer {
  /// What one event alone becomes.
  mutating func render(_ event: Event) -> String {
    var text: [UInt8] = []
    render(event, to: &text)
    return String(decoding: text, as: UTF8.self)
  }
}

/// What a stranger may write into his command line.
let hostileName =
  "a\"b\\c\u{1b}[2J\n\t\r\u{7}\u{7f}\u{9b}é\u{202e}\u{2028}\u{2029}\u{200b}\u{e0001}日本 🙂\u{0}</script>"

func process(
  _ name: String, pid: Int32 = 1, exited: Bool = false, total: (UInt64, UInt64),
  moved: (UInt64, UInt64) = (0, 0)
) -> UsageRow {
  UsageRow(
    name: name, subject: .process(pid: pid, uid: 1000, exited: exited),
    total: Usage(received: total.0, sent: total.1), moved: Usage(received: moved.0, sent: moved.1))
}

func application(
  _ name: String, pids: [Int32] = [1], total: (UInt64, UInt64), moved: (UInt64, UInt64)
) -> UsageRow {
  UsageRow(
    name: name, subject: .application(pids: pids), total: Usage(received: total.0, sent: total.1),
    moved: Usage(received: moved.0, sent: moved.1))
}

func report(
  _ rows: [UsageRow], over interval: Duration? = .seconds(1), balance: Balance = Balance(),
  health: Health = Health()
) -> UsageReport {
  UsageReport(time: sampleTime, interval: interval, rows: rows, balance: balance, health: health)
}

func alert(
  _ state: Alert.State, subject: String = "Web", rule: String = "web-limit",
  direction: Alert.Direction = .received
) -> Alert {
  Alert(
    rule: rule, subject: subject, direction: direction, state: state, value: .kibibytesPerSecond(123.45),
    threshold: .bytesPerSecond(51_200.5), interval: .milliseconds(10_500), pids: [7, 4711],
    since: Timestamp(seconds: 1_795_255_100), time: sampleTime)
}

/// The alert of bwmon 1.1's own example.
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
