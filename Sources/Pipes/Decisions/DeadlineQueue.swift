/// Moments at which something is to be looked at again, the earliest first.
struct DeadlineQueue: Sendable {
  /// A moment, and what is to be looked at.
  struct Entry: Sendable, Hashable, Comparable {
    /// When.
    var time: ContinuousClock.Instant
    /// What.
    var token: UInt64

    static func < (left: Entry, right: Entry) -> Bool { left.time < right.time }
  }

  private var queue = PriorityQueue<Entry>()

  /// How many there are.
  var count: Int { queue.count }
  /// The earliest; nil when there is none.
  var earliest: ContinuousClock.Instant? { queue.first?.time }

  /// Adds a moment.
  mutating func add(_ token: UInt64, at time: ContinuousClock.Instant) {
    queue.insert(Entry(time: time, token: token))
  }

  /// Takes the earliest that is not after `now`; nil when there is none.
  mutating func take(until now: ContinuousClock.Instant) -> Entry? {
    guard let first = queue.first, first.time <= now else { return nil }
    return queue.popFirst()
  }
}
