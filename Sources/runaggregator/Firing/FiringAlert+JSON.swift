import Model
import Notifications

extension FiringAlert {
  /// The alert as JSON: what its rule still knows after a restart is not in it.
  var json: String {
    var members: [(name: String, value: String)]
    let (value, threshold, interval, since, time): (Double, Double, Duration, Timestamp, Timestamp)
    switch report {
    case .usage(let alert):
      members = [
        ("kind", JSONText.string(Self.usage)), ("rule", JSONText.string(alert.rule)),
        ("subject", JSONText.string(alert.subject)),
        ("direction", JSONText.string(alert.direction.rawValue)),
      ]
      (value, threshold) = (alert.value.bytesPerSecond, alert.threshold.bytesPerSecond)
      (interval, since, time) = (alert.interval, alert.since, alert.time)
    case .probe(let alert):
      members = [
        ("kind", JSONText.string(Self.probe)), ("rule", JSONText.string(alert.rule)),
        ("subject", JSONText.string(alert.target.name)),
        ("address", JSONText.string("\(alert.target.address)")),
        ("measure", JSONText.string(alert.measure.rawValue)),
      ]
      (value, threshold, interval) = (alert.value, alert.threshold, alert.interval)
      (since, time) = (alert.since, alert.time)
    }
    let count = if case .repeated(let count) = report.state { count } else { 1 }
    members += [
      ("count", String(count)), ("since", since.json), ("reported", time.json),
      ("value", "\(value)"), ("threshold", "\(threshold)"),
      ("interval_ms", String(Int64(interval.inMilliseconds))),
      // The key of files that are on disk already: renamed, what fires would fire again after an upgrade.
      ("told", "[" + notified.map { JSONText.string($0.name) }.joined(separator: ",") + "]"),
    ]
    return JSONText.object(members)
  }

  /// Reads what `json` has written; nil for anything else.
  init?(_ json: JSONValue) {
    guard let rule = json.member("rule")?.string, let subject = json.member("subject")?.string,
      let count = json.member("count")?.integer, (1...1_000_000_000).contains(count),
      let since = json.member("since").flatMap(Timestamp.init),
      let time = json.member("reported").flatMap(Timestamp.init),
      let value = json.member("value")?.number, let threshold = json.member("threshold")?.number,
      let interval = json.member("interval_ms")?.integer, (0...86_400_000).contains(interval),
      case .array(let notified) = json.member("told")?.content
    else { return nil }
    let state = count > 1 ? Alert.State.repeated(count: count) : .firing
    let duration = Duration.milliseconds(interval)
    switch json.member("kind")?.string {
    case Self.usage:
      guard let direction = json.member("direction")?.string.flatMap(Alert.Direction.init) else { return nil }
      report = .usage(
        Alert(
          rule: rule, subject: subject, direction: direction, state: state, value: .bytesPerSecond(value),
          threshold: .bytesPerSecond(threshold), interval: duration, pids: [], since: since, time: time))
    case Self.probe:
      guard let measure = json.member("measure")?.string.flatMap(ProbeAlert.Measure.init),
        let address = json.member("address")?.string.flatMap({ IPAddress($0) })
      else { return nil }
      report = .probe(
        ProbeAlert(
          rule: rule, target: ProbeTarget(name: subject, address: address), measure: measure, state: state,
          value: value, threshold: threshold, interval: duration, since: since, time: time))
    default: return nil
    }
    let names = Set(notified.compactMap(\.string))
    self.notified = DeliveryKind.allCases.filter { names.contains($0.name) }
  }

  private static let usage = "usage"
  private static let probe = "probe"
}

extension DeliveryKind {
  /// The word for it in files.
  var name: String {
    switch self {
    case .line: "line"
    case .command: "command"
    case .mail: "mail"
    case .webhook: "webhook"
    }
  }
}

extension JSONValue {
  /// The number, if this is one that is finite.
  fileprivate var number: Double? {
    if case .number(let text) = content, let number = Double(text), number.isFinite { number } else { nil }
  }
}
