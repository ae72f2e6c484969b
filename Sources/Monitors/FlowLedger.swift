import Model

/// What one flow moved since the ledger last saw it.
public struct FlowDelta: Sendable, Hashable {
  /// Tells the flow from all others, also from an earlier one of the same tuple.
  public var key: FlowKey
  /// Where the flow stands in the table that the ledger was given.
  public var index: Int
  /// Bytes in the original direction.
  public var original: UInt64
  /// Bytes in the reply direction.
  public var reply: UInt64
}

/// The only place that knows what the connection table held before.
///
/// Counters are compared entry by entry. The kernel dumps its hash table bucket by bucket, so an entry keeps
/// its place among those that stay: the ledger walks both tables side by side and searches only what moved.
public struct FlowLedger: Sendable {
  /// What changed between two readings of the table.
  public struct Changes: Sendable, Hashable {
    /// Flows that moved something.
    public var deltas: [FlowDelta] = []
    /// Flows that are no longer in the table.
    public var gone: [FlowKey] = []
  }

  private struct Entry: Sendable {
    var key: FlowKey
    var original: UInt64
    var reply: UInt64
  }

  /// How far to look for an entry before it is set aside: a bucket rarely holds more.
  private static let lookahead = 16

  private let seed: UInt64
  private var entries: [Entry] = []

  /// Makes an empty ledger. `seed` keeps strangers from choosing ports whose keys collide.
  public init(seed: UInt64 = .random(in: .min ... .max)) { self.seed = seed }

  /// Takes the table as it is now and returns what moved since the last call.
  ///
  /// A flow that was not there before moved all that its counters say. So did one whose counters fell: it is
  /// another flow of the same tuple. Flows without counters move nothing.
  public mutating func advance(to flows: [Flow]) -> Changes {
    var changes = Changes()
    var next: [Entry] = []
    next.reserveCapacity(flows.count)
    var cursor = 0
    var skipped: [Int] = []
    var strangers: [Int] = []
    for index in flows.indices {
      let entry = entry(flows[index])
      next.append(entry)
      if let place = find(entry.key, from: cursor) {
        skipped.append(contentsOf: cursor..<place)
        cursor = place + 1
        compare(entries[place], entry, at: index, &changes)
      } else {
        strangers.append(index)
      }
    }
    skipped.append(contentsOf: cursor..<entries.count)
    settle(strangers, among: skipped, next, &changes)
    entries = next
    return changes
  }

  private func entry(_ flow: Flow) -> Entry {
    Entry(
      key: FlowKey(flow, seed: seed), original: flow.counters.originalBytes, reply: flow.counters.replyBytes)
  }

  @inline(__always)
  private func find(_ key: FlowKey, from cursor: Int) -> Int? {
    var place = cursor
    let end = min(entries.count, cursor + Self.lookahead)
    while place < end {
      if entries[place].key == key { return place }
      place += 1
    }
    return nil
  }

  /// Looks for the flows without a neighbour of old among the old entries that found no flow.
  private func settle(
    _ strangers: [Int], among skipped: [Int], _ next: [Entry], _ changes: inout Changes
  ) {
    var waiting = Dictionary(skipped.map { (entries[$0].key, $0) }, uniquingKeysWith: { first, _ in first })
    for index in strangers {
      if let place = waiting.removeValue(forKey: next[index].key) {
        compare(entries[place], next[index], at: index, &changes)
      } else {
        append(next[index], at: index, next[index].original, next[index].reply, &changes)
      }
    }
    changes.gone = Array(waiting.keys)
  }

  @inline(__always)
  private func compare(_ old: Entry, _ new: Entry, at index: Int, _ changes: inout Changes) {
    if new.original == old.original && new.reply == old.reply { return }
    if new.original < old.original || new.reply < old.reply {
      append(new, at: index, new.original, new.reply, &changes)
    } else {
      append(new, at: index, new.original - old.original, new.reply - old.reply, &changes)
    }
  }

  private func append(
    _ entry: Entry, at index: Int, _ original: UInt64, _ reply: UInt64, _ changes: inout Changes
  ) {
    if original == 0 && reply == 0 { return }
    changes.deltas.append(FlowDelta(key: entry.key, index: index, original: original, reply: reply))
  }
}
