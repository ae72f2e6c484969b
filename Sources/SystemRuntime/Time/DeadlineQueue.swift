import Model

/// Moments at which something is to be looked at again, the earliest first.
package struct DeadlineQueue: Sendable {
  /// A moment, and what is to be looked at.
  package struct Entry: Sendable, Hashable, Comparable {
    /// When.
    package var time: Instant
    /// What.
    package var token: UInt64

    package static func < (left: Entry, right: Entry) -> Bool {
      // Equal times are rare, and a comparison is a call.
      left.time < right.time || (left.token < right.token && left.time == right.time)
    }
  }

  private var queue = PriorityQueue<Entry>()

  /// Makes an empty one.
  package init() {}

  /// How many there are.
  package var count: Int { queue.count }
  /// The earliest; nil when there is none.
  package var earliest: Instant? { queue.first?.time }

  /// Adds a moment.
  package mutating func add(_ token: UInt64, at time: Instant) {
    queue.insert(Entry(time: time, token: token))
  }

  /// Takes the earliest that is not after `now`; nil when there is none.
  package mutating func take(until now: Instant) -> Entry? {
    guard let first = queue.first, first.time <= now else { return nil }
    return queue.popFirst()
  }
}
