import Model

/// What the thresholds remember of one application: its averages, and what fires.
struct TrackedApplication: Sendable {
  /// The name of a row; an application may be called as a remainder is.
  struct Key: Sendable, Hashable, Comparable {
    var name: String
    var isRemainder: Bool

    init(_ row: UsageRow) {
      name = row.name
      isRemainder = row.subject == .remainder
    }

    static func < (left: Key, right: Key) -> Bool { left.name < right.name }
  }

  /// The time that a report is over.
  struct Tick {
    var number: Int
    var start: ContinuousClock.Instant
    var end: ContinuousClock.Instant
    /// In nanoseconds, positive.
    var duration: Int64
    var time: Timestamp
  }

  /// What is known for one rule.
  private struct Watch {
    var rule: Int
    var window: Int
    var received = AlertState()
    var sent = AlertState()

    subscript(direction: Alert.Direction) -> AlertState {
      get { direction == .received ? received : sent }
      set { if direction == .received { received = newValue } else { sent = newValue } }
    }
  }

  let key: Key
  /// When it was last looked at.
  private(set) var tick = 0
  /// One for each interval that its rules have.
  private var windows: [RateWindow] = []
  private var watches: [Watch] = []
  private var pids: [Int32] = []
  /// Whether a process of it was ever seen alive. A pipe has none, and is not gone for that.
  private var hadProcesses = false
  private var isIdle = true

  init(key: Key) { self.key = key }

  /// True when nothing would change if it were seen for the first time the next time.
  var isForgettable: Bool {
    isIdle && windows.allSatisfy(\.isEmpty) && watches.allSatisfy { $0.received.isQuiet && $0.sent.isQuiet }
  }

  /// Starts to watch for the rule at position `index`.
  mutating func watch(_ index: Int, _ rule: ThresholdRule) {
    watches.append(Watch(rule: index, window: window(of: rule.intervalNanoseconds)))
  }

  /// Takes the row of a tick; nil if there is none any more.
  mutating func observe(
    _ row: UsageRow?, _ span: Tick, _ rules: [ThresholdRule], _ watched: [Int64]
  ) -> [Alert] {
    tick = span.number
    let moved = row?.moved ?? .zero
    isIdle = moved.isZero
    pids = row?.livingPIDs ?? []
    if !pids.isEmpty { hadProcesses = true }
    // Short-lived processes may all have ended by now: what still moves is not gone.
    let isGone = row == nil || (hadProcesses && pids.isEmpty)
    for index in windows.indices { windows[index].add(moved, over: span.duration) }
    var alerts: [Alert] = []
    for index in watches.indices {
      let rule = rules[watches[index].rule]
      let average = windows[watches[index].window].average
      let isFull = watched[watches[index].rule] >= rule.intervalNanoseconds
      for direction in Alert.Direction.allCases {
        guard let level = rule.level(direction) else { continue }
        let value = direction == .received ? average.received : average.sent
        let isClear = isFull && value <= level.clear
        let seen = AlertState.Observation(
          isAbove: isFull && value > level.threshold, isClear: isClear, isGone: isGone && (isIdle || isClear),
          start: span.start, end: span.end)
        guard let change = watches[index][direction].update(seen, rule, at: span.time) else { continue }
        var alert = alert(rule, direction, level, value, since: watches[index][direction].since)
        alert.state = change.state
        alert.time = span.time
        alerts.append(alert)
      }
    }
    // What starts later under the same name starts with nothing.
    if alerts.contains(where: { $0.state == .resolved(.gone) }) {
      windows = windows.map { RateWindow(interval: $0.interval) }
    }
    return alerts
  }

  /// Watches for the rules at positions `matching` of `new` instead of those of `old`; returns what fired for
  /// those that it no longer watches for.
  mutating func reload(from old: [ThresholdRule], to new: [ThresholdRule], matching: [Int]) -> [Alert] {
    let before = Dictionary(watches.map { (old[$0.rule].name, $0) }, uniquingKeysWith: { first, _ in first })
    let averages = windows.map(\.average)
    let oldWindows = windows
    watches = []
    windows = []
    for index in matching {
      let rule = new[index]
      let position = window(of: rule.intervalNanoseconds, from: oldWindows)
      var watch = Watch(rule: index, window: position)
      if let kept = before[rule.name] {
        for direction in Alert.Direction.allCases where rule.level(direction) != nil {
          watch[direction] = kept[direction]
        }
      }
      watches.append(watch)
    }
    var alerts: [Alert] = []
    for watch in before.values.sorted(by: { $0.rule < $1.rule }) {
      let rule = old[watch.rule]
      let kept = watches.first { new[$0.rule].name == rule.name }
      for direction in Alert.Direction.allCases where watch[direction].isFiring {
        guard kept?[direction].isFiring != true, let level = rule.level(direction) else { continue }
        let value = direction == .received ? averages[watch.window].received : averages[watch.window].sent
        alerts.append(alert(rule, direction, level, value, since: watch[direction].since))
      }
    }
    return alerts
  }

  private mutating func window(of interval: Int64, from old: [RateWindow] = []) -> Int {
    if let position = windows.firstIndex(where: { $0.interval == interval }) { return position }
    windows.append(old.first { $0.interval == interval } ?? RateWindow(interval: interval))
    return windows.count - 1
  }

  /// An alert that its rule is no longer there; the time is that of its start.
  private func alert(
    _ rule: ThresholdRule, _ direction: Alert.Direction, _ level: ThresholdRule.Level, _ value: Rate,
    since: Timestamp
  ) -> Alert {
    Alert(
      rule: rule.name, subject: key.name, direction: direction, state: .resolved(.removed), value: value,
      threshold: level.threshold, interval: rule.interval, pids: pids, since: since, time: since)
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

extension UsageRow {
  fileprivate var livingPIDs: [Int32] {
    switch subject {
    case .process(let pid, _, let exited): exited ? [] : [pid]
    case .application(let pids): pids
    case .remainder: []
    }
  }
}
