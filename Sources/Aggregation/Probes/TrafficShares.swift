public import Model

/// Which applications moved most in an interval: what an alert about a path says of this host's own part in it.
public enum TrafficShares {
  /// How many are named.
  public static let most = 3
  /// Below this share nobody is named, in percent.
  private static let least = 1.0

  /// The applications or processes of `report` that moved most in the direction in which more was moved, with their share of all
  /// bytes in it; none without an interval or bytes.
  public static func top(of report: UsageReport) -> [ProbeAlert.Share] {
    guard report.interval != nil else { return [] }
    // A client's bytes are its pipe's as well.
    let rows = report.rows.filter { if case .client = $0.subject { false } else { true } }
    let total = rows.reduce(Usage.zero) { $0 + $1.moved }
    let direction = total.sent >= total.received ? Alert.Direction.sent : .received
    let all = Double(direction.bytes(of: total))
    guard all > 0 else { return [] }
    return rows.filter(\.isNamed)
      .map { ($0.name, Double(direction.bytes(of: $0.moved)) * 100 / all) }
      .filter { $0.1 >= least }
      .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
      .prefix(most)
      .map { ProbeAlert.Share(name: $0.0, direction: direction, percent: $0.1) }
  }
}

extension Alert.Direction {
  fileprivate func bytes(of usage: Usage) -> UInt64 {
    switch self {
    case .received: usage.received
    case .sent: usage.sent
    }
  }
}

extension UsageRow {
  fileprivate var isNamed: Bool { subject != .remainder }
}
