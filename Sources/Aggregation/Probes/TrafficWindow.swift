public import Model

/// Which applications moved most through an interface in an interval: what an alert about a path says of this host's
/// own part in it.
///
/// Keeps what each report has of it. Reports that are long ago are added up: an interval begins too early by a
/// sixteenth of its length at most, and a day takes some two hundred sums. A sum has the names that moved most, so that
/// their number has a bound where programs come and go.
public struct TrafficWindow: Sendable {
  /// How many are named.
  public static let most = 3
  /// Below this share nobody is named, in percent.
  private static let least = 1.0
  /// How often as old a sum is as it is long, at least.
  private static let fineness: Int64 = 16
  /// The most names that a sum keeps.
  static let mostNames = 1_000

  private struct Part {
    var start: Instant
    var end: Instant
    /// All that passed an interface, by its number.
    var interfaces: [Int32: Usage] = [:]
    var applications: [String: [InterfaceUsage]] = [:]

    mutating func add(_ later: Part) {
      end = later.end
      interfaces.merge(later.interfaces, uniquingKeysWith: +)
      for (name, parts) in later.applications {
        for part in parts { applications[name, default: []].add(part.usage, through: part.interface) }
      }
      // Twice the bound before any goes: to find the least is dear.
      if applications.count > 2 * TrafficWindow.mostNames { keepMost() }
    }

    private mutating func keepMost() {
      let kept = applications.map {
        (name: $0, bytes: $1.reduce(0) { $0 + $1.usage.received + $1.usage.sent })
      }
      .sorted { $0.bytes > $1.bytes }.prefix(TrafficWindow.mostNames)
      applications = Dictionary(uniqueKeysWithValues: kept.map { ($0.name, applications[$0.name] ?? []) })
    }
  }

  /// The oldest first.
  private var parts: [Part] = []
  /// The interface of each address, and when it was last reported: when a path fails it may have none any more.
  private var interfaces: [IPAddress: (number: Int32, seen: Instant)] = [:]

  /// Makes one that has seen nothing.
  public init() {}

  /// How many sums are kept, and the most names that one of them has.
  var count: Int { parts.count }
  var names: Int { parts.map(\.applications.count).max() ?? 0 }

  /// Adds a report that ends at `now`, and keeps what is no longer ago than `longest`. A first report has what moved
  /// before the start: it counts for nothing.
  public mutating func add(_ report: UsageReport, at now: Instant, keeping longest: Duration) {
    guard let length = report.interval, !report.paths.isEmpty || !parts.isEmpty else { return }
    var part = Part(start: now - length, end: now)
    for path in report.paths {
      interfaces[path.address] = (path.interface, now)
      part.interfaces[path.interface] = path.usage
    }
    interfaces = interfaces.filter { $1.seen > now - longest || $1.seen == now }
    for row in report.rows where row.interfaces.contains(where: { !$0.usage.isZero }) {
      for moved in row.interfaces {
        part.applications[row.name, default: []].add(moved.usage, through: moved.interface)
      }
    }
    parts.append(part)
    // At least the last report.
    parts.removeFirst(parts.firstIndex { $0.end > now - longest } ?? parts.count - 1)
    if parts.allSatisfy(\.interfaces.isEmpty) { parts = [] }
    addUp(at: now)
  }

  /// Adds up neighbours that are long ago.
  private mutating func addUp(at now: Instant) {
    var next = 1
    while next < parts.count {
      let length = parts[next].end - parts[next - 1].start
      if length * Self.fineness <= now - parts[next].end {
        let later = parts.remove(at: next)
        parts[next - 1].add(later)
      } else {
        next += 1
      }
    }
  }

  /// The applications that moved most through the interfaces that have one of `addresses`, in the `length` before `now`
  /// or in a report that ends then.
  ///
  /// In the direction in which more was moved there, with their share of all bytes in it. None where no interface has
  /// one, and without bytes.
  public func top(through addresses: Set<IPAddress>, over length: Duration, at now: Instant) -> [ProbeAlert
    .Share]
  {
    let wanted = Set(addresses.compactMap { interfaces[$0]?.number })
    guard !wanted.isEmpty, let first = parts.firstIndex(where: { $0.end > now - length || $0.end == now })
    else { return [] }
    var total = Usage.zero
    var applications: [String: Usage] = [:]
    for part in parts[first...] {
      for interface in wanted { total += part.interfaces[interface] ?? .zero }
      if wanted.isDisjoint(with: part.interfaces.keys) { continue }
      for (name, moved) in part.applications { applications[name, default: .zero] += moved.usage(of: wanted) }
    }
    let direction = total.sent >= total.received ? Alert.Direction.sent : .received
    let all = Double(direction.bytes(of: total))
    guard all > 0 else { return [] }
    return
      applications
      .map { ($0.key, Double(direction.bytes(of: $0.value)) * 100 / all) }
      .filter { $0.1 >= Self.least }
      .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
      .prefix(Self.most)
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
