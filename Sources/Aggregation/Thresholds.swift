public import Model
import Patterns

/// Decides from each report which limits were crossed, and which no longer are.
///
/// An alert is raised once for each rule, application and direction, and resolved once. The average is over the
/// rule's interval of time: a rule says nothing before it has watched for that long. Applications are distinguished by
/// their name, so a report must not have two rows of one name.
public struct Thresholds: Sendable {
  /// Searches of a filter that were given up, since start; the row counts as one that does not match.
  public private(set) var abandonedSearches: UInt64 = 0

  private var rules: [ThresholdRule]
  /// How long each rule has watched, in nanoseconds and at most its interval.
  private var watched: [Int64]
  private var applications: [TrackedApplication.Key: TrackedApplication] = [:]
  /// Alerts that a reload has ended and that must still be reported.
  private var removed: [Alert] = []
  private var tick = 0

  /// Makes a machine that has seen nothing; the rules have different names.
  public init(rules: [ThresholdRule]) {
    self.rules = rules
    watched = rules.map { _ in 0 }
  }

  /// Takes the report of a tick that ended at `now`; returns what is to be reported.
  ///
  /// A report without an interval (the lookback) has no rates and changes nothing. With `isPartial` what processes
  /// moved is not known: applications that have or had some, also if pipes belong to them, and remainders stay as they
  /// are.
  public mutating func update(
    with report: UsageReport, at now: Instant, isPartial: Bool = false
  ) -> [Alert] {
    var alerts = takeRemoved(at: report.time)
    guard let interval = report.interval, interval >= .nanoseconds(1), !rules.isEmpty else { return alerts }
    tick += 1
    let duration = interval.wholeNanoseconds
    for index in rules.indices {
      watched[index] = min(rules[index].intervalNanoseconds, watched[index].addingClamped(duration))
    }
    let span = TrackedApplication.Tick(
      number: tick, start: now.advanced(by: .zero - interval), end: now, duration: duration, time: report.time
    )
    for row in report.rows {
      let key = TrackedApplication.Key(row)
      let isUnknown = isPartial && row.hasProcesses
      guard let index = applications.index(forKey: key) else {
        if row.moved.isZero || isUnknown { continue }
        var application = track(key)
        alerts += application.observe(row, span, rules, watched)
        applications[key] = application
        continue
      }
      if isUnknown {
        applications.values[index].pass(span.number)
      } else {
        alerts += applications.values[index].observe(row, span, rules, watched)
      }
    }
    alerts += sweep(span, isPartial: isPartial)
    return alerts
  }

  /// Continues at `now`, which is `time`, what fired at the end of an earlier run, by what was last reported of it.
  ///
  /// It fires on until its window is full once more. Where no rule has that limit for that application any more, it is
  /// resolved with the next report.
  public mutating func restore(
    _ alerts: [Alert], at now: Instant, _ time: Timestamp
  ) {
    for alert in alerts {
      let key = TrackedApplication.Key(
        name: alert.subject, isRemainder: ThresholdRule.remainders.contains(alert.subject))
      var application = applications[key] ?? track(key)
      if application.restore(alert, rules, at: now, time) {
        applications[key] = application
      } else {
        var alert = alert
        alert.state = .resolved(.removed)
        removed.append(alert)
      }
    }
  }

  /// How many applications are watched closely: those that moved something lately, or that fire.
  var trackedCount: Int { applications.count }

  /// Takes new rules into use. A rule whose name survives keeps its averages and what fires; what fires for a
  /// rule, a limit or an application that is gone is resolved with the next report.
  public mutating func reload(rules: [ThresholdRule]) {
    let old = self.rules
    let positions = Dictionary(
      old.indices.map { (old[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
    watched = rules.map { rule in
      guard let position = positions[rule.name], old[position].interval == rule.interval,
        old[position].filterSource == rule.filterSource
      else { return 0 }
      return watched[position]
    }
    self.rules = rules
    for key in applications.keys.sorted() {
      guard var application = applications[key] else { continue }
      removed += application.reload(from: old, to: rules, matching: matches(key))
      applications[key] = application
    }
  }

  /// Looks at the applications that have no row any more, and forgets those of which nothing is left to know.
  private mutating func sweep(_ span: TrackedApplication.Tick, isPartial: Bool) -> [Alert] {
    var missing: [TrackedApplication.Key] = []
    var forgettable: [TrackedApplication.Key] = []
    for (key, application) in applications {
      if application.tick != span.number {
        // What only an earlier run has seen may move something that is not known.
        if isPartial, !application.hadRow { continue }
        missing.append(key)
      } else if application.isForgettable {
        forgettable.append(key)
      }
    }
    var alerts: [Alert] = []
    for key in missing.sorted() {
      alerts += applications[key]?.observe(nil, span, rules, watched) ?? []
      // What fires may be kept firing for a while after its end.
      if applications[key]?.isActive != true { applications[key] = nil }
    }
    for key in forgettable { applications[key] = nil }
    return alerts
  }

  private mutating func takeRemoved(at time: Timestamp) -> [Alert] {
    defer { removed = [] }
    return removed.map { alert in
      var alert = alert
      alert.time = time
      return alert
    }
  }

  private mutating func track(_ key: TrackedApplication.Key) -> TrackedApplication {
    var application = TrackedApplication(key: key)
    for index in matches(key) { application.watch(index, rules[index]) }
    return application
  }

  /// The rules that look at an application, by their position.
  private mutating func matches(_ key: TrackedApplication.Key) -> [Int] {
    var matching: [Int] = []
    for (index, rule) in rules.enumerated() {
      switch rule.filter {
      case .applications where !key.isRemainder: matching.append(index)
      case .remainder(key.name) where key.isRemainder: matching.append(index)
      case .matching(let pattern) where !key.isRemainder:
        switch pattern.search(key.name) {
        case .found: matching.append(index)
        case .notFound: break
        case .gaveUp: abandonedSearches += 1
        }
      case .applications, .remainder, .matching: break
      }
    }
    return matching
  }
}

extension UsageRow {
  /// True for what has or had processes, or is a remainder: what a pipe moves is not all of it.
  fileprivate var hasProcesses: Bool { subject == .remainder || !livingPIDs.isEmpty || hasEnded }
}

extension Int64 {
  /// The sum, or the greatest number where it does not fit.
  func addingClamped(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
