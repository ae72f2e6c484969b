public import Model

/// Since when each target answers or does not: an outage begins with the first round of which nothing answers. Does no I/O.
public struct TargetOutages: Sendable {
  private struct Target {
    var isUp: Bool
    var since: Instant
  }

  private var targets: [String: Target] = [:]

  /// Knows no target yet.
  public init() {}

  /// Takes a result that came at `now`; returns an outage that begins or ends with it.
  public mutating func take(_ result: ProbeResult, at now: Instant) -> Outage? {
    guard let isUp = result.finding.isUp else { return nil }
    let name = result.target.name
    let before = targets[name] ?? Target(isUp: true, since: now)
    guard isUp != before.isUp else {
      targets[name] = before
      return nil
    }
    targets[name] = Target(isUp: isUp, since: now)
    let lasted = max(.zero, now - before.since)
    return Outage(
      subject: name,
      state: isUp ? .ended(downtime: lasted, isIgnored: false) : .began(afterUptime: lasted),
      time: result.time)
  }

  /// Continues an outage of an earlier run, which began at `since`.
  public mutating func restore(_ name: String, since: Instant) {
    targets[name] = Target(isUp: false, since: since)
  }

  /// Forgets targets that are not among `names`.
  public mutating func keep(only names: Set<String>) { targets = targets.filter { names.contains($0.key) } }
}
