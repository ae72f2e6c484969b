public import Model

/// How long something must hold before it is reported, and how often it is again.
struct AlertTiming: Sendable, Hashable {
  /// How long a value must be above the threshold before an alert is raised.
  var hold = Duration.zero
  /// How long it must not be above the clear level, or be gone, before the alert is over.
  var keepFiring = Duration.zero
  /// The time between two repetitions of an alert; nil for none.
  var repeatInterval: Duration?
}

/// Whether one rule fires for one thing that it watches: a direction of an application, a measure of a path.
struct AlertState: Sendable {
  /// What is to be reported.
  enum Change: Sendable, Hashable {
    case raised
    case repeated(count: Int)
    case resolved(Alert.Resolution)
  }

  /// What a tick has shown. All of it is taken to hold for the whole tick.
  struct Observation {
    /// The average is above the threshold.
    var isAbove: Bool
    /// The average is not above the clear level.
    var isClear: Bool
    /// No process of the application lives, and nothing moved.
    var isGone: Bool
    /// When the tick started.
    var start: Instant
    /// When it ended.
    var end: Instant
  }

  private enum Phase {
    case quiet
    case above(since: Instant)
    case firing(Firing)
  }

  private struct Firing {
    var count = 1
    /// When it was last reported.
    var reported: Instant
    /// Since when it is clear or gone, nil while it is neither.
    var clearSince: Instant?
  }

  private var phase = Phase.quiet
  /// When the alert was raised.
  private(set) var since = Timestamp(seconds: 0)

  /// Neither fires nor is on the way to it.
  init() {}

  /// Continues what fired in an earlier run: `count` notifications, the last one at `reported`. That is a time of the wall
  /// clock, which may have been set since: what lies ahead counts as now.
  init(
    since: Timestamp, count: Int, reported: Timestamp, at now: Instant, _ time: Timestamp
  ) {
    phase = .firing(Firing(count: count, reported: now - time.passed(since: reported)))
    self.since = since
  }

  var isFiring: Bool {
    if case .firing = phase { return true }
    return false
  }

  /// Neither firing nor on the way to it.
  var isQuiet: Bool {
    if case .quiet = phase { return true }
    return false
  }

  /// Takes what a tick that ended at `time` has shown; returns what is to be reported, if anything.
  mutating func update(_ seen: Observation, _ rule: AlertTiming, at time: Timestamp) -> Change? {
    switch phase {
    case .firing(let firing): return update(firing, seen, rule)
    case .quiet: return seen.isAbove && !seen.isGone ? rise(from: seen.start, seen, rule, time) : nil
    case .above(let start):
      guard seen.isAbove && !seen.isGone else {
        phase = .quiet
        return nil
      }
      return rise(from: start, seen, rule, time)
    }
  }

  private mutating func rise(
    from start: Instant, _ seen: Observation, _ rule: AlertTiming, _ time: Timestamp
  ) -> Change? {
    guard seen.end - start >= rule.hold else {
      phase = .above(since: start)
      return nil
    }
    phase = .firing(Firing(reported: seen.end))
    since = time
    return .raised
  }

  private mutating func update(_ before: Firing, _ seen: Observation, _ rule: AlertTiming) -> Change? {
    var firing = before
    // Who runs one short process after the other is gone between two of them: that must hold, too.
    if seen.isGone || seen.isClear {
      let start = firing.clearSince ?? seen.start
      guard seen.end - start < rule.keepFiring else {
        phase = .quiet
        return .resolved(seen.isGone ? .gone : .below)
      }
      firing.clearSince = start
      phase = .firing(firing)
      return nil
    }
    firing.clearSince = nil
    guard let interval = rule.repeatInterval, seen.end - firing.reported >= interval else {
      phase = .firing(firing)
      return nil
    }
    firing.count += 1
    firing.reported = seen.end
    phase = .firing(firing)
    return .repeated(count: firing.count)
  }
}

extension Timestamp {
  /// How long this is after `other` by the wall clock, in whole seconds; zero where that was set back. For what began in an
  /// earlier run alone: within a run the monotonic clock tells.
  public func passed(since other: Timestamp) -> Duration {
    let (seconds, overflow) = self.seconds.subtractingReportingOverflow(other.seconds)
    return overflow ? .zero : .seconds(max(0, seconds))
  }
}
