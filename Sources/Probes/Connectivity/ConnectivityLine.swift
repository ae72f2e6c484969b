public import Model

/// The line that says a change to people: pyNetConnMon's, to the byte.
///
/// `2021-08-26 11:09:15 connectivity changed to False (uptime: 0:10:04.003210)`: local time, Python's words for the
/// state, and how long the one before lasted as Python's `str(timedelta)` writes it. An outage that was too short ends
/// with ` (ignored)`.
public struct ConnectivityLine: Sendable, Hashable, CustomStringConvertible {
  /// The line, without a line feed.
  public let description: String

  /// Makes the line of a change.
  public init(_ outage: Outage) {
    let change =
      switch outage.state {
      case .began(let uptime): "False (uptime: \(Self.text(of: uptime)))"
      case .ended(let downtime, let isIgnored):
        "True (downtime: \(Self.text(of: downtime)))" + (isIgnored ? " (ignored)" : "")
      }
    description = "\(outage.time.local) connectivity changed to \(change)"
  }

  /// `0:10:04.003210`, `1 day, 2:03:04`: microseconds are left out where there are none; what is less is cut off.
  static func text(of duration: Duration) -> String {
    let (whole, attoseconds) = max(duration, .zero).components
    let days = whole / 86_400
    let (hours, minutes, seconds) = (whole / 3600 % 24, whole / 60 % 60, whole % 60)
    let microseconds = attoseconds / 1_000_000_000_000
    var text = days == 0 ? "" : "\(days) day\(days == 1 ? "" : "s"), "
    text += "\(hours):\(padded(minutes, 2)):\(padded(seconds, 2))"
    if microseconds != 0 { text += ".\(padded(microseconds, 6))" }
    return text
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
