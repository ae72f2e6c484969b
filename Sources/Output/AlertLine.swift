public import Model

/// The line that says an alert to people: bwmon 1.1's, to the byte, for one that fires.
///
/// `2012-11-01 12:00:00: wget exceeding 'in' bandwidth limit      50.00:     123.45 kB/s (246.90 %)`: local time,
/// application, limit, value, value in percent of the limit; a kB is 1024 bytes. A repetition is the same line, as
/// the original wrote it each second. One that is over says `no longer exceeding`, and why unless the rate fell; one
/// whose limit a new configuration took away says that alone, since the rate may be above it still.
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
    let shownLimit = limit.fixed(2).rightAligned(in: 10)
    let subject = "\(alert.time.local): \(name)"
    let level = "'\(alert.direction.oldName)' bandwidth limit \(shownLimit)"
    let amount = "\(value.fixed(2).rightAligned(in: 10)) kB/s (\((value / limit * 100).fixed(2)) %)"
    description =
      switch alert.state {
      case .firing, .repeated: "\(subject) exceeding \(level): \(amount)"
      case .resolved(.below): "\(subject) no longer exceeding \(level): \(amount)"
      case .resolved(.gone): "\(subject) no longer exceeding \(level): \(amount), the application is gone"
      case .resolved(.removed): "\(subject) \(level) kB/s removed by a new configuration"
      }
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
