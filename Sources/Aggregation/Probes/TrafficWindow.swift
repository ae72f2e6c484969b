public import Model

/// Which applications moved most through an interface in an interval: what an alert about a path says of this host's own
/// part in it.
///
/// Keeps what each report has of it. Reports that are long ago are added up, so that an interval begins a sixteenth of its
/// length too early at most, and a day takes some two hundred sums.
public struct TrafficWindow: Sendable {
  /// How many are named.
  public static let most = 3
  /// Below this share nobody is named, in percent.
  private static let least = 1.0
  /// How often as old a sum is as it is long, at least.
  private static let fineness: Int64 = 16

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
    }
  }

  /// The oldest first.
  private var parts: [Part] = []
  /// The interface of each address, and when it was last reported: when a path fails it may have none any more.
  private var interfaces: [IPAddress: (number: Int32, seen: Instant)] = [:]

  /// Makes one that has seen nothing.
  public init() {}

  /// How many sums are kept.
  var count: Int { parts.count }

  /// Adds a report that ends at `now`, and keeps what is no longer ago than `longest`. A first report has what moved before
  /// the start: it counts for nothing.
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
    var kept: [Part] = []
    kept.reserveCapacity(parts.count)
    for part in parts {
      if let last = kept.last, (part.end - last.start) * Self.fineness <= now - part.end {
        kept[kept.count - 1].add(part)
      } else {
        kept.append(part)
      }
    }
    parts = kept
  }

  /// The applications that moved most, in the `length` before `now` or at least in the last report, through the interfaces
  /// that have one of `addresses`; in the direction in which more was moved there, with their share of all bytes in it.
  /// None where no interface has one, and without bytes.
  public func top(through addresses: Set<IPAddress>, over length: Duration, at now: Instant) -> [ProbeAlert
    .Share]
  {
    let wanted = Set(addresses.compactMap { interfaces[$0]?.number })
    let first = parts.firstIndex { $0.end > now - length } ?? parts.index(before: parts.endIndex)
    guard !wanted.isEmpty, parts.indices.contains(first) else { return [] }
    var total = Usage.zero
    var applications: [String: Usage] = [:]
    for part in parts[first...] {
      for interface in wanted { total += part.interfaces[interface] ?? .zero }
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
