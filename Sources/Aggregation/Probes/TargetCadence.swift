import Model

/// When each target was asked last, what it said, and until when that stands: each is asked in its own interval. Does no I/O.
struct TargetCadence: Sendable {
  private struct Target {
    var interval: Duration
    /// When its next result must have come.
    var due: Instant
    /// When the last round began to which it gave an answer, if that was its last.
    var answered: Timestamp?
  }

  /// How much longer than its interval a result may take: a lost round waits for its time limit.
  private static let grace = Duration.seconds(5)

  private var targets: [String: Target] = [:]

  /// Has these targets from `now` on, each asked so often; what is known of those it had stays.
  mutating func use(_ intervals: [String: Duration], at now: Instant) {
    targets = Dictionary(
      uniqueKeysWithValues: intervals.map { name, interval in
        var target = targets[name] ?? Target(interval: interval, due: now + interval + Self.grace)
        if target.interval != interval { target.due = max(target.due, now + interval + Self.grace) }
        target.interval = interval
        return (name, target)
      })
  }

  /// Takes note of a result that came at `now`.
  mutating func note(_ result: ProbeResult, isUp: Bool, at now: Instant) {
    guard var target = targets[result.target.name] else { return }
    target.due = now + target.interval + Self.grace
    target.answered = isUp ? result.time : nil
    targets[result.target.name] = target
  }

  /// What is to be thought of a target that has not failed.
  enum Standing: Sendable, Hashable {
    /// Its next result comes before the time that was asked about.
    case awaited
    /// Its last result is an answer from after the time that was asked about, and the next comes later.
    case answering
    /// Nothing is known of it: it is asked too seldom, or not at all.
    case unknown
  }

  /// How a target stands at `now` that may have answered since `failure`; its next result is waited for until `end`.
  func standing(
    of name: String, since failure: Timestamp, at now: Instant,
    until end: Instant
  ) -> Standing {
    guard let target = targets[name], now < target.due else { return .unknown }
    if target.due <= end { return .awaited }
    return target.answered.map(failure.isBefore) ?? false ? .answering : .unknown
  }
}

extension Timestamp {
  func isBefore(_ other: Timestamp) -> Bool {
    (seconds, nanoseconds) < (other.seconds, other.nanoseconds)
  }
}
