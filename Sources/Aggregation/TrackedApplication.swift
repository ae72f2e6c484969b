import Model

/// What the thresholds remember of one application: its averages, and what fires.
struct TrackedApplication: Sendable {
  /// The name of a row; an application may be called as a remainder is.
  struct Key: Sendable, Hashable, Comparable {
    var name: String
    var isRemainder: Bool

    init(name: String, isRemainder: Bool) { (self.name, self.isRemainder) = (name, isRemainder) }

    init(_ row: UsageRow) { self.init(name: row.name, isRemainder: row.subject == .remainder) }

    static func < (left: Key, right: Key) -> Bool { left.name < right.name }
  }

  /// The time that a report is over.
  struct Tick {
    var number: Int
    var start: Instant
    var end: Instant
    /// In nanoseconds, positive.
    var duration: Int64
    var time: Timestamp
  }

  /// A rule that looks at the application. There may be many, so what each tick compares is at hand.
  private struct RuleWindows {
    var rule: Int
    var window: Int
    /// Above this something is to be done; infinite without a limit.
    var received: Double
    var sent: Double

    init(_ index: Int, _ rule: ThresholdRule, window: Int) {
      self.rule = index
      self.window = window
      received = rule.received?.threshold.bytesPerSecond ?? .infinity
      sent = rule.sent?.threshold.bytesPerSecond ?? .infinity
    }
  }

  /// A rule that fires for a direction, or is on the way to it.
  private struct Activity {
    var rule: Int
    var direction: Alert.Direction
    var window: Int
    var state = AlertState()
  }

  let key: Key
  /// When it was last looked at.
  private(set) var tick = 0
  /// One for each interval that its rules have.
  private var windows: [RateWindow] = []
  private var watches: [RuleWindows] = []
  private var activities: [Activity] = []
  private var pids: [Int32] = []
  /// Whether a process of it was ever seen alive. A pipe has none, and is not gone for that.
  private var hadProcesses = false
  private var isIdle = true
  /// How long it was looked at since a restart, in nanoseconds: what fired before cannot be judged by a window that is not
  /// full. Without end where no alert of it was continued.
  private var lookedAt = Int64.max
  /// Whether this run has seen anything of it.
  private(set) var hadRow = false

  init(key: Key) { self.key = key }

  /// True when nothing would change if it were seen for the first time the next time.
  var isForgettable: Bool {
    isIdle && activities.isEmpty && windows.allSatisfy(\.isEmpty)
  }

  /// True while something fires or is on the way to it.
  var isActive: Bool { !activities.isEmpty }

  /// Starts to watch for the rule at position `index`.
  mutating func watch(_ index: Int, _ rule: ThresholdRule) {
    watches.append(RuleWindows(index, rule, window: window(of: rule.intervalNanoseconds)))
  }

  /// Lets a tick pass of which nothing is known.
  mutating func pass(_ number: Int) {
    tick = number
    isIdle = false
  }

  /// Takes the row of a tick; nil if there is none any more.
  mutating func observe(
    _ row: UsageRow?, _ span: Tick, _ rules: [ThresholdRule], _ watched: [Int64]
  ) -> [Alert] {
    tick = span.number
    if row != nil { hadRow = true }
    let moved = row?.moved ?? .zero
    isIdle = moved.isZero
    pids = row?.livingPIDs ?? []
    if !pids.isEmpty { hadProcesses = true }
    // Short-lived processes may all have ended by now: what still moves is not gone.
    let isGone = row == nil || (hadProcesses && pids.isEmpty)
    for index in windows.indices { windows[index].add(moved, over: span.duration) }
    lookedAt = lookedAt.addingClamped(span.duration)
    startActivities()
    var alerts: [Alert] = []
    for index in activities.indices {
      let activity = activities[index]
      let rule = rules[activity.rule]
      guard let level = rule.level(activity.direction), lookedAt >= rule.intervalNanoseconds else { continue }
      let value = windows[activity.window].average[activity.direction]
      let isFull = watched[activity.rule] >= rule.intervalNanoseconds
      let isClear = isFull && value <= level.clear
      let seen = AlertState.Observation(
        isAbove: isFull && value > level.threshold, isClear: isClear, isGone: isGone && (isIdle || isClear),
        start: span.start, end: span.end)
      guard let change = activities[index].state.update(seen, rule.timing, at: span.time) else { continue }
      var alert = alert(rule, level, value, of: activities[index])
      alert.state = change.state
      // The average of a window that began before the end may be above the limit still.
      if alert.state == .resolved(.gone) {
        alert.value = moved.rates(over: .nanoseconds(span.duration))[activities[index].direction]
      }
      alert.time = span.time
      alerts.append(alert)
    }
    activities.removeAll { $0.state.isQuiet }
    // What starts later under the same name starts with nothing.
    if alerts.contains(where: { $0.state == .resolved(.gone) }) {
      windows = windows.map { RateWindow(interval: $0.interval) }
    }
    return alerts
  }

  /// Adds those that are above a limit and were not.
  private mutating func startActivities() {
    for watch in watches {
      let average = windows[watch.window].average
      if average.received.bytesPerSecond > watch.received { startActivity(watch, .received) }
      if average.sent.bytesPerSecond > watch.sent { startActivity(watch, .sent) }
    }
  }

  private mutating func startActivity(_ watch: RuleWindows, _ direction: Alert.Direction) {
    guard !activities.contains(where: { $0.rule == watch.rule && $0.direction == direction }) else { return }
    activities.append(Activity(rule: watch.rule, direction: direction, window: watch.window))
  }

  /// Continues an alert of an earlier run; false where none of its rules has that limit.
  mutating func restore(
    _ alert: Alert, _ rules: [ThresholdRule], at now: Instant, _ time: Timestamp
  ) -> Bool {
    let watch = watches.first {
      rules[$0.rule].name == alert.rule && rules[$0.rule].level(alert.direction) != nil
    }
    guard let watch else { return false }
    startActivity(watch, alert.direction)
    guard
      let index = activities.firstIndex(where: { $0.rule == watch.rule && $0.direction == alert.direction })
    else { return false }
    activities[index].state = AlertState(
      since: alert.since, count: alert.state.notifications, reported: alert.time, at: now, time)
    lookedAt = 0
    return true
  }

  /// Watches for the rules at positions `matching` of `new` instead of those of `old`; returns what fired for
  /// those that it no longer watches for.
  mutating func reload(from old: [ThresholdRule], to new: [ThresholdRule], matching: [Int]) -> [Alert] {
    let oldWindows = windows
    watches = []
    windows = []
    var positions: [String: RuleWindows] = [:]
    for index in matching {
      let watch = RuleWindows(
        index, new[index], window: window(of: new[index].intervalNanoseconds, from: oldWindows))
      positions[new[index].name] = watch
      watches.append(watch)
    }
    var alerts: [Alert] = []
    var kept: [Activity] = []
    for activity in activities {
      let rule = old[activity.rule]
      if let watch = positions[rule.name], new[watch.rule].level(activity.direction) != nil {
        var activity = activity
        activity.rule = watch.rule
        activity.window = watch.window
        kept.append(activity)
      } else if activity.state.isFiring, let level = rule.level(activity.direction) {
        let value = oldWindows[activity.window].average[activity.direction]
        alerts.append(alert(rule, level, value, of: activity))
      }
    }
    activities = kept
    return alerts
  }

  private mutating func window(of interval: Int64, from old: [RateWindow] = []) -> Int {
    if let position = windows.firstIndex(where: { $0.interval == interval }) { return position }
    windows.append(old.first { $0.interval == interval } ?? RateWindow(interval: interval))
    return windows.count - 1
  }

  /// An alert that its rule is no longer there; the time is that of its start.
  private func alert(
    _ rule: ThresholdRule, _ level: ThresholdRule.Level, _ value: Rate, of activity: Activity
  ) -> Alert {
    Alert(
      rule: rule.name, subject: key.name, direction: activity.direction, state: .resolved(.removed),
      value: value, threshold: level.threshold, interval: rule.interval, pids: pids,
      since: activity.state.since, time: activity.state.since)
  }
}

extension Rates {
  fileprivate subscript(direction: Alert.Direction) -> Rate {
    switch direction {
    case .received: received
    case .sent: sent
    }
  }
}

extension AlertState.Change {
  var state: Alert.State {
    switch self {
    case .raised: .firing
    case .repeated(let count): .repeated(count: count)
    case .resolved(let why): .resolved(why)
    }
  }
}

extension Alert.State {
  /// How many notifications there were, as far as it fires.
  var notifications: Int {
    switch self {
    case .firing, .resolved: 1
    case .repeated(let count): count
    }
  }
}

extension UsageRow {
  var livingPIDs: [Int32] {
    switch subject {
    case .process(let pid, _, let exited): exited ? [] : [pid]
    case .application(let pids): pids
    case .exited, .pipe, .client, .remainder: []
    }
  }
}
