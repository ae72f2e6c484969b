public import Model
import Netfilter

/// What one flow moved since the ledger last saw it.
public struct FlowDelta: Sendable, Hashable {
  /// Distinguishes the flow from all others, also from an earlier one of the same tuple.
  public var key: FlowKey
  /// Where the flow stands in the snapshot that the ledger was given.
  public var index: Int
  /// Bytes of IP packets in the original direction.
  public var original: UInt64
  /// Bytes of IP packets in the reply direction.
  public var reply: UInt64
  /// How many of `original` are headers, and not to be counted.
  public var originalHeaders: UInt64 = 0
  /// How many of `reply` are headers, and not to be counted.
  public var replyHeaders: UInt64 = 0

  /// The counted bytes, from the client's view.
  var usage: Usage { Usage(received: reply - replyHeaders, sent: original - originalHeaders) }

  /// What the interfaces moved of the flow: a packet comes in unless it is from here, and leaves unless it is for
  /// here; loopback does both.
  func carried(isClientHere: Bool, isServerHere: Bool) -> Usage {
    let there = Usage(received: reply, sent: original)
    switch (isClientHere, isServerHere) {
    case (true, false): return there
    case (false, true): return there.reversed
    case (true, true), (false, false): return there + there.reversed
    }
  }
}

/// The only place that knows what the connection table held before.
///
/// Counters are compared entry by entry. The kernel dumps its hash table bucket by bucket, so an entry keeps
/// its place among those that stay: the ledger walks both tables side by side and searches only what moved.
public struct FlowLedger: Sendable {
  /// What is compared.
  public enum Quantity: Sendable {
    /// Bytes.
    case bytes
    /// Packets; the deltas are packets then.
    case packets
  }

  /// What changed between two readings of the table.
  public struct Changes: Sendable, Hashable {
    /// Flows that moved something.
    public var deltas: [FlowDelta] = []
    /// Flows that ended, or of which nothing more will be received.
    public var gone: [FlowKey] = []
    /// How many of `gone` left without a word: what they moved last is not known.
    public var missed = 0
    /// Entries whose counters fell, though all that was made and has ended is known: somebody zeroes them.
    public var resets = 0
  }

  private struct Entry: Sendable {
    var key: FlowKey
    var original: UInt64
    var reply: UInt64
  }

  /// An entry that left the table without a word: its final counters may still come.
  private struct Missing: Sendable {
    var entry: Entry
    var since: Instant
  }

  /// How far to look for an entry before it is set aside: a bucket rarely holds more.
  private static let lookahead = 16
  /// How far back an entry may have been listed before: no bucket holds as many.
  private static let bucket = 64
  /// How long the final counters of an entry are waited for. The kernel repeats for seconds what it could not deliver.
  static let patience = Duration.seconds(30)

  private let seed: UInt64
  private let quantity: Quantity
  private var entries: [Entry] = []
  /// Where in `entries` a flow is, and which places are free, since only parts of the table are read; nil before.
  private var places: [FlowKey: Int]?
  private var vacant: [Int] = []
  private var missing: [FlowKey: Missing] = [:]

  /// How many flows it knows.
  var count: Int { entries.count - vacant.count + missing.count }

  /// The flows it knows.
  var keys: some Sequence<FlowKey> {
    [places.map { Array($0.keys) } ?? entries.map(\.key), Array(missing.keys)].joined()
  }

  /// Makes an empty ledger of `quantity`. `seed` keeps strangers from choosing ports whose keys collide.
  public init(of quantity: Quantity = .bytes, seed: UInt64 = .random(in: .min ... .max)) {
    self.quantity = quantity
    self.seed = seed
  }

  /// The key of a flow in this ledger.
  public func key(of flow: FlowIdentity) -> FlowKey { FlowKey(flow, seed: seed) }

  /// Takes the table as it is at `now` and what has ended; returns what moved since the last call.
  ///
  /// A flow that was not there before moved all that its counters say. So did one whose counters fell: they were
  /// zeroed, or it is another flow of the same tuple. Flows without counters move nothing.
  /// What a snapshot of a part does not list is as it was.
  public mutating func advance(to snapshot: FlowSnapshot, at now: Instant) -> Changes {
    var changes = Changes()
    if snapshot.closedCount == nil { walk(snapshot, at: now, &changes) } else { update(snapshot, &changes) }
    forget(at: now, &changes)
    // An identifier returns with the ends: without the events it may as well be the next flow of these.
    if !snapshot.hasAllEvents { changes.resets = 0 }
    return changes
  }

  /// Compares a part of the table.
  private mutating func update(_ snapshot: FlowSnapshot, _ changes: inout Changes) {
    if places == nil {
      places = Dictionary(zip(entries.map(\.key), entries.indices)) { _, later in later }
    }
    var ended: Set<FlowKey> = []
    for index in snapshot.livingCount..<snapshot.flows.count {
      let entry = entry(snapshot.flows[index])
      ended.insert(entry.key)
      changes.gone.append(entry.key)
      let place = places?.removeValue(forKey: entry.key)
      if let place { vacant.append(place) }
      meet(entry, place.map { entries[$0] }, at: index, &changes)
    }
    for index in 0..<snapshot.livingCount {
      let entry = entry(snapshot.flows[index])
      // The kernel reports the end a moment before the entry leaves the table.
      if !ended.isEmpty, ended.contains(entry.key) { continue }
      if let place = places?[entry.key] {
        compare(entries[place], entry, at: index, &changes)
        entries[place] = entry
      } else {
        meet(entry, nil, at: index, &changes)
        insert(entry)
      }
    }
  }

  private mutating func insert(_ entry: Entry) {
    let place = vacant.popLast() ?? entries.count
    if place == entries.count { entries.append(entry) } else { entries[place] = entry }
    places?[entry.key] = place
  }

  /// Compares the whole table.
  private mutating func walk(
    _ snapshot: FlowSnapshot, at now: Instant, _ changes: inout Changes
  ) {
    if let places {
      entries = places.values.sorted().map { entries[$0] }
      (self.places, vacant) = (nil, [])
    }
    var walk = Walk()
    var next: [Entry] = []
    next.reserveCapacity(snapshot.livingCount)
    let ended = (snapshot.livingCount..<snapshot.flows.count).map { ($0, entry(snapshot.flows[$0])) }
    let endedKeys = Set(ended.lazy.map(\.1.key))
    for index in 0..<snapshot.livingCount {
      let entry = entry(snapshot.flows[index])
      // The kernel reports the end a moment before the entry leaves the table.
      if !endedKeys.isEmpty, endedKeys.contains(entry.key) { continue }
      if let place = find(entry.key, from: walk.cursor) {
        walk.skipped.append(contentsOf: walk.cursor..<place)
        walk.cursor = place + 1
        compare(entries[place], entry, at: index, &changes)
      } else {
        // A dump that lost its place in a bucket starts the bucket again.
        if next.suffix(Self.bucket).contains(where: { $0.key == entry.key }) { continue }
        walk.strangers.append((index, entry))
      }
      next.append(entry)
    }
    walk.skipped.append(contentsOf: walk.cursor..<entries.count)
    settle(walk, ended, at: now, &changes)
    entries = next
  }

  /// The walk over the table, beside the one of before.
  private struct Walk {
    var cursor = 0
    /// Old entries that no new one stood beside.
    var skipped: [Int] = []
    /// New entries that no old one stood beside.
    var strangers: [(index: Int, entry: Entry)] = []
  }

  private func entry(_ flow: Flow) -> Entry {
    let counters = flow.counters
    let isBytes = quantity == .bytes
    return Entry(
      key: FlowKey(flow.identity, seed: seed),
      original: isBytes ? counters.originalBytes : counters.originalPackets,
      reply: isBytes ? counters.replyBytes : counters.replyPackets)
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

  /// Brings together the new entries without a neighbour, the ended ones, and the old ones left over.
  private mutating func settle(
    _ walk: Walk, _ ended: [(index: Int, entry: Entry)], at now: Instant,
    _ changes: inout Changes
  ) {
    for place in walk.skipped { missing[entries[place].key] = Missing(entry: entries[place], since: now) }
    for (index, entry) in walk.strangers { meet(entry, nil, at: index, &changes) }
    for (index, entry) in ended {
      changes.gone.append(entry.key)
      meet(entry, nil, at: index, &changes)
    }
  }

  /// Compares an entry with `old`, or with what was known of it when it went missing; one that is new moved all it says.
  private mutating func meet(_ entry: Entry, _ old: Entry?, at index: Int, _ changes: inout Changes) {
    if let old = old ?? missing.removeValue(forKey: entry.key)?.entry {
      compare(old, entry, at: index, &changes)
    } else {
      append(entry, at: index, entry.original, entry.reply, &changes)
    }
  }

  /// Gives up waiting for entries that left long ago.
  private mutating func forget(at now: Instant, _ changes: inout Changes) {
    if missing.isEmpty { return }
    let late = missing.filter { now - $0.value.since >= Self.patience }.map(\.key)
    for key in late { missing[key] = nil }
    changes.gone += late
    changes.missed = late.count
  }

  @inline(__always)
  private func compare(_ old: Entry, _ new: Entry, at index: Int, _ changes: inout Changes) {
    if new.original == old.original && new.reply == old.reply { return }
    if new.original < old.original || new.reply < old.reply {
      // Both were zeroed at once.
      changes.resets += 1
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
