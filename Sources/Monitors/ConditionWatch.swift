import Model
import Netfilter

/// The state of the connection table over time, and what is said of what makes the numbers less than they could be.
struct ConditionWatch {
  private var reader: StateReader
  private var board: WarningBoard
  private var tracking = TrackingWatch()
  /// What passed unseen when tracking ended; nil while it works.
  private var untracked: Conditions.Untracked?

  /// Says `warnings` first. `state` asks the kernel for what it says of its table.
  init(_ warnings: [Warning], _ state: @escaping () -> ConntrackState) {
    reader = StateReader(state)
    board = WarningBoard(warnings)
  }

  /// Whether new connections get counters; nil where that is not known.
  var isAccounting: Bool? { reader.state.isAccounting }
  /// Connections that got no place in the table, or lost it, since the first reading.
  var lostEntries: UInt64 { reader.lost }

  /// Has the next update read the state: it is the last.
  mutating func refresh() { reader.refresh() }

  /// Takes how many connections have no counters.
  mutating func update(uncounted: Int, at now: Instant) {
    reader.update(uncounted: uncounted, at: now)
  }

  /// Takes what the interfaces moved in an interval, and how much of it tracked and counted flows did. They can be compared
  /// where the interfaces were read and no flow is offloaded.
  mutating func compare(_ moved: Usage, tracked: Usage, in interval: Duration, isComparable: Bool) {
    let reading = TrackingWatch.Reading(
      interval: interval, moved: moved.received + moved.sent, tracked: tracked.received + tracked.sent,
      isComparable: isComparable && isAccounting != false)
    switch tracking.update(reading) {
    case .nothing: break
    case .ended(let bytes, let time): untracked = Conditions.Untracked(bytes: bytes, time: time)
    case .returned: untracked = nil
    }
  }

  /// Returns what is to be said of `conditions`, whose state and tracking are known here.
  mutating func changes(of conditions: Conditions) -> [Warning] {
    var conditions = conditions
    conditions.state = reader.state
    conditions.untracked = untracked
    return board.changes(of: conditions)
  }
}
