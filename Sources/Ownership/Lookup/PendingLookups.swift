import Model

/// Flows that were made and not yet looked at. The newest comes first: its sockets most likely live, and who made it
/// has most likely made those before it. Bounded, in number and in time: later another process may have the same
/// ends.
struct PendingLookups {
  /// The most that wait.
  static let capacity = 4_096
  /// How long one waits. Half as long as it is remembered that an entry ended.
  static let life = FlowGenerations.memory / 2

  // In the order in which they were received.
  private var flows: [(flow: Flow, received: Instant)] = []

  /// Whether none waits.
  var isEmpty: Bool { flows.isEmpty }

  /// Adds one that was received at `now`, after all others.
  mutating func add(_ flow: Flow, at now: Instant) { flows.append((flow, now)) }

  /// Takes those that there is no room for, or that have waited for too long.
  mutating func takeOverdue(at now: Instant) -> [Flow] {
    let surplus = flows.count - Self.capacity
    let count = flows.indices.prefix { $0 < surplus || flows[$0].received + Self.life < now }.count
    let overdue = flows.prefix(count).map(\.flow)
    flows.removeFirst(count)
    return overdue
  }

  /// Takes the newest; nil when none waits.
  mutating func takeNewest() -> Flow? { flows.popLast()?.flow }
}
