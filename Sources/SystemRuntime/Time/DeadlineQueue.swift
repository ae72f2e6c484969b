/// Moments at which something is to be looked at again, the earliest first.
package struct DeadlineQueue: Sendable {
  /// A moment, and what is to be looked at.
  package struct Entry: Sendable, Hashable {
    /// When.
    package var time: ContinuousClock.Instant
    /// What.
    package var token: UInt64
  }

  /// An entry as the heap has it. Programs learn the size of an instant from the standard library when they run, so that
  /// each copy and each comparison is a call; a duration is 128 bits to the compiler.
  private struct Key: Sendable, Comparable {
    var time: Duration
    var token: UInt64

    static func < (left: Key, right: Key) -> Bool { left.time < right.time }
  }

  private let epoch = ContinuousClock.now
  private var queue = PriorityQueue<Key>()

  /// Makes an empty one.
  package init() {}

  /// How many there are.
  package var count: Int { queue.count }
  /// The earliest; nil when there is none.
  package var earliest: ContinuousClock.Instant? { queue.first.map { epoch + $0.time } }

  /// Adds a moment.
  package mutating func add(_ token: UInt64, at time: ContinuousClock.Instant) {
    queue.insert(Key(time: time - epoch, token: token))
  }

  /// Takes the earliest that is not after `now`; nil when there is none.
  package mutating func take(until now: ContinuousClock.Instant) -> Entry? {
    guard let first = queue.first, first.time <= now - epoch else { return nil }
    return queue.popFirst().map { Entry(time: epoch + $0.time, token: $0.token) }
  }
}
