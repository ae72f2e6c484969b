public import Model

/// The line that says an outage to people, in local time.
///
/// `2026-11-21 11:00:01: gateway is not reachable (uptime: 604.003 s)`, and when it is over
/// `2026-11-21 11:00:09: gateway is reachable again (downtime: 7.512 s)`, with ` (ignored)` behind it for an outage
/// that was shorter than is wanted.
public struct OutageLine: Sendable, Hashable, CustomStringConvertible {
  /// The line, without a line feed; control characters of the subject are escaped.
  public let description: String

  /// Makes the line of an outage.
  public init(_ outage: Outage) {
    let subject = "\(outage.time.local): \(outage.subject.escapingControlCharacters)"
    description =
      switch outage.state {
      case .began(let uptime): "\(subject) is not reachable (uptime: \(uptime.inSeconds.fixed(3)) s)"
      case .ended(let downtime, let isIgnored):
        "\(subject) is reachable again (downtime: \(downtime.inSeconds.fixed(3)) s)"
          + (isIgnored ? " (ignored)" : "")
      }
  }
}
