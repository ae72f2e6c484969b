public import Model

/// Which applications moved most through an interface in an interval: what an alert about a path says of this host's own
/// part in it.
public enum TrafficShares {
  /// How many are named.
  public static let most = 3
  /// Below this share nobody is named, in percent.
  private static let least = 1.0

  /// The applications of `report` that moved most through the interfaces that have one of `addresses`, in the direction in
  /// which more was moved there, with their share of all bytes in it. None where no interface has one, and without bytes.
  public static func top(of report: UsageReport, through addresses: Set<IPAddress>) -> [ProbeAlert.Share] {
    var whole: [Int32: Usage] = [:]
    for path in report.paths where addresses.contains(path.address) { whole[path.interface] = path.usage }
    let total = whole.values.reduce(.zero, +)
    let direction = total.sent >= total.received ? Alert.Direction.sent : .received
    let all = Double(direction.bytes(of: total))
    guard all > 0 else { return [] }
    let interfaces = Set(whole.keys)
    return report.rows
      .map { ($0.name, Double(direction.bytes(of: $0.interfaces.usage(of: interfaces))) * 100 / all) }
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
