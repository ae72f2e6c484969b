import Model

/// The ends that were reported last, to know one that is reported again: while one listener has no room for it the
/// kernel tries again and again, and each time it reports the end to all the others as well.
struct DestroyDeduplicator {
  /// So many are remembered at least, and at most twice as many.
  static let capacity = 32_768

  // By hashes of the entries, with their final packets and bytes; those before the last rotation and those since.
  private var older: [Int: Int] = [:]
  private var newer: [Int: Int] = [:]

  /// Takes an entry that was made: its end is another's than that of one before it with the same identifier and ends.
  mutating func note(made flow: Flow) {
    if older.isEmpty && newer.isEmpty { return }
    let key = flow.identity.hashValue
    older[key] = nil
    newer[key] = nil
  }

  /// Takes an end as the kernel reports it; returns whether it was reported before.
  mutating func isRepeated(_ flow: Flow) -> Bool {
    let (key, counters) = (flow.identity.hashValue, flow.counters.hashValue)
    if newer[key] == counters { return true }
    let isRepeated = older[key] == counters
    if newer.count >= Self.capacity {
      swap(&older, &newer)
      newer.removeAll(keepingCapacity: true)
    }
    // Also of one that is reported again and again, which is remembered for as long as that goes on.
    newer[key] = counters
    return isRepeated
  }
}
