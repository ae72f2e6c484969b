public import Model

/// The line that says an alert to people: bwmon 1.1's, to the byte, for one that fires.
///
/// `2012-11-01 12:00:00: wget exceeding 'in' bandwidth limit      50.00:     123.45 kB/s (246.90 %)`: local time,
/// application, limit, value, value in percent of the limit; a kB is 1024 bytes. A repetition is the same line, as
/// the original wrote it each second. One that is over says `no longer exceeding`, and why unless the rate fell.
public struct AlertLine: Sendable, Hashable, CustomStringConvertible {
  /// The longest application name that is shown uncut, in Unicode scalars.
  public static let nameLimit = 50

  /// The line, without a line feed; control characters of the name are escaped.
  public let description: String

  /// Makes the line of an alert.
  public init(_ alert: Alert) {
    let name = alert.subject.escapingControlCharacters.shortened(to: Self.nameLimit)
    let limit = alert.threshold.kibibytesPerSecond
    let value = alert.value.kibibytesPerSecond
    let amounts = "\(limit.fixed(2).rightAligned(in: 10)): \(value.fixed(2).rightAligned(in: 10)) kB/s"
    let percent = "(\((value / limit * 100).fixed(2)) %)"
    description =
      "\(alert.time.local): \(name) \(alert.state.verb) '\(alert.direction.oldName)' bandwidth limit "
      + "\(amounts) \(percent)\(alert.state.ending)"
  }
}

extension Alert.Direction {
  /// The predecessor's word: bytes come `in` to the application or go `out`.
  var oldName: String {
    switch self {
    case .received: "in"
    case .sent: "out"
    }
  }
}

extension Alert.State {
  fileprivate var verb: String {
    switch self {
    case .firing, .repeated: "exceeding"
    case .resolved: "no longer exceeding"
    }
  }

  fileprivate var ending: String {
    switch self {
    case .firing, .repeated, .resolved(.below): ""
    case .resolved(.gone): ", the application is gone"
    case .resolved(.removed): ", the rule was removed"
    }
  }
}
