/// Moments at which something is to be looked at again, the earliest first (a binary heap).
struct DeadlineQueue: Sendable {
  /// A moment, and what is to be looked at.
  struct Entry: Sendable, Hashable {
    /// When.
    var time: ContinuousClock.Instant
    /// What.
    var token: UInt64
  }

  private var heap: [Entry] = []

  /// How many there are.
  var count: Int { heap.count }
  /// The earliest; nil when there is none.
  var earliest: ContinuousClock.Instant? { heap.first?.time }

  /// Adds a moment.
  mutating func add(_ token: UInt64, at time: ContinuousClock.Instant) {
    heap.append(Entry(time: time, token: token))
    var child = heap.count - 1
    while child > 0, case let parent = (child - 1) / 2, heap[child].time < heap[parent].time {
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes the earliest that is not after `now`; nil when there is none.
  mutating func take(until now: ContinuousClock.Instant) -> Entry? {
    guard let first = heap.first, first.time <= now else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while case let left = 2 * parent + 1, left < heap.count {
      let right = left + 1
      let child = right < heap.count && heap[right].time < heap[left].time ? right : left
      guard heap[child].time < heap[parent].time else { break }
      heap.swapAt(child, parent)
      parent = child
    }
    return first
  }
}
