public import Model
import Patterns

/// Decides from the results of probes which limits were crossed, and which no longer are.
///
/// An alert is raised once for each rule, target and measure, and resolved once.
public struct ProbeLimits: Sendable {
  private struct Key: Hashable, Comparable {
    var rule: String
    var measure: ProbeAlert.Measure

    static func < (left: Key, right: Key) -> Bool {
      (left.rule, left.measure.rawValue) < (right.rule, right.measure.rawValue)
    }
  }

  private struct Firing {
    var state = AlertState()
    /// The last alert that was reported of it.
    var last: ProbeAlert?
  }

  private struct Target {
    var target: ProbeTarget
    var rounds = ProbeRounds()
    var firings: [Key: Firing] = [:]
    /// When its first round was over; nil for one of which only an earlier run knows.
    var seenSince: Instant?
  }

  /// Searches of a filter that were given up, since start; the target counts as one that does not match.
  public private(set) var abandonedSearches: UInt64 = 0

  private var rules: [ProbeRule]
  private var targets: [String: Target] = [:]
  private var removed: [ProbeAlert] = []

  /// Makes a machine that has seen nothing.
  public init(rules: [ProbeRule]) { self.rules = rules }

  /// How each target was at its last round, by name.
  public var states: [ProbeState] {
    targets.keys.sorted().compactMap { targets[$0]?.rounds.state(named: $0) }
  }

  /// Takes a result that came at `now`; returns what is to be reported.
  public mutating func update(
    with result: ProbeResult, at now: Instant, _ time: Timestamp
  ) -> [ProbeAlert] {
    let name = result.target.name
    var target = targets[name] ?? Target(target: result.target, seenSince: now)
    target.target = result.target
    let seenSince = target.seenSince ?? now
    target.seenSince = seenSince
    target.rounds.add(result.finding, at: now, keeping: rules.map(\.interval).max() ?? .zero)
    var alerts: [ProbeAlert] = []
    for rule in rules where matches(rule, result.target) {
      for measure in ProbeAlert.Measure.allCases {
        guard let level = rule.levels[measure] else { continue }
        // Whether something answers is of the last round alone.
        let isFull = measure == .down || now - seenSince >= rule.interval
        alerts += observe(&target, rule, measure, level, isFull, now, time)
      }
    }
    targets[name] = target
    return alerts
  }

  private func observe(
    _ target: inout Target, _ rule: ProbeRule, _ measure: ProbeAlert.Measure, _ level: ProbeRule.Level,
    _ isFull: Bool, _ now: Instant, _ time: Timestamp
  ) -> [ProbeAlert] {
    // What is not known is neither too much nor over.
    guard let value = target.rounds.value(of: measure, over: rule.interval, at: now) else { return [] }
    let key = Key(rule: rule.name, measure: measure)
    // What fired before a restart goes on till it can be judged.
    guard isFull else { return [] }
    let seen = AlertState.Observation(
      isAbove: value > level.threshold, isClear: value <= level.clear, isGone: false, start: now,
      end: now)
    var firing = target.firings[key] ?? Firing()
    defer { target.firings[key] = firing.state.isQuiet ? nil : firing }
    guard let change = firing.state.update(seen, rule.timing, at: time) else { return [] }
    let alert = ProbeAlert(
      rule: rule.name, target: target.target, measure: measure, state: change.state, value: value,
      threshold: level.threshold, interval: rule.interval, since: firing.state.since, time: time)
    firing.last = alert
    return [alert]
  }

  /// Continues at `now`, which is `time`, what fired at the end of an earlier run, by what was last reported of it. Where no
  /// rule has that limit for that target any more, it is resolved with `takeRemoved`.
  public mutating func restore(
    _ alerts: [ProbeAlert], at now: Instant, _ time: Timestamp
  ) {
    for alert in alerts {
      let (name, key) = (alert.target.name, Key(rule: alert.rule, measure: alert.measure))
      let rule = rules.first { $0.name == alert.rule && $0.levels[alert.measure] != nil }
      let state = AlertState(
        since: alert.since, count: alert.state.notifications, reported: alert.time, at: now, time)
      targets[name, default: Target(target: alert.target)].firings[key] = Firing(state: state, last: alert)
      if rule.map({ matches($0, alert.target) }) != true { end(name, key, .removed) }
    }
  }

  /// How long what an alert reports had lasted when it was raised.
  public func hold(of alert: ProbeAlert) -> Duration {
    rules.first { $0.name == alert.rule }?.timing.hold ?? .zero
  }

  /// The names of the rules that want a notification when the route to a target has changed.
  public mutating func rules(tellingRoutesOf target: ProbeTarget) -> [String] {
    var names: [String] = []
    for rule in rules where rule.tellsRoutes && matches(rule, target) { names.append(rule.name) }
    return names
  }

  /// Takes new rules into use. What fires for a rule or limit that is gone is resolved with `takeRemoved`.
  public mutating func reload(rules: [ProbeRule]) {
    let old = Dictionary(self.rules.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let new = Dictionary(rules.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.rules = rules
    for name in targets.keys.sorted() {
      for key in (targets[name]?.firings.keys).map(Array.init)?.sorted() ?? [] {
        let isKept =
          new[key.rule]?.levels[key.measure] != nil
          && new[key.rule]?.filterSource == old[key.rule]?.filterSource
        if !isKept { end(name, key, .removed) }
      }
    }
  }

  /// Forgets targets that are not among `names`: what fires for them is resolved.
  public mutating func keep(only names: Set<String>) {
    for name in targets.keys.sorted() where !names.contains(name) {
      for key in (targets[name]?.firings.keys).map(Array.init)?.sorted() ?? [] { end(name, key, .gone) }
      targets[name] = nil
    }
  }

  /// Takes what a reload has ended.
  public mutating func takeRemoved(at time: Timestamp) -> [ProbeAlert] {
    defer { removed = [] }
    return removed.map { alert in
      var alert = alert
      alert.time = time
      return alert
    }
  }

  private mutating func end(_ name: String, _ key: Key, _ why: Alert.Resolution) {
    guard let firing = targets[name]?.firings.removeValue(forKey: key), firing.state.isFiring,
      var alert = firing.last
    else { return }
    alert.state = .resolved(why)
    removed.append(alert)
  }

  private mutating func matches(_ rule: ProbeRule, _ target: ProbeTarget) -> Bool {
    guard let filter = rule.filter else { return true }
    for text in [target.name, "\(target.address)"] {
      switch filter.search(text) {
      case .found: return true
      case .notFound: continue
      case .gaveUp: abandonedSearches += 1
      }
    }
    return false
  }
}
