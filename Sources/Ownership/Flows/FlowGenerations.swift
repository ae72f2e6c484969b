import Model

/// Distinguishes an entry of the connection table from one just before it with the same identifier and ends.
///
/// The identifier is a hash of the entry's address in memory and its tuple (nf_ct_get_id), and memory that was freed is
/// used again first: who takes the same ends again at once has the same identifier. The order of the kernel's events
/// distinguishes them.
struct FlowGenerations {
  /// How long it is remembered at least that an entry ended.
  static let memory = Duration.milliseconds(500)
  /// The most entries of a later generation that live; the next are not distinguished.
  static let capacity = 65_536

  // Identifiers of entries that ended, those before the last rotation and those since: one that is there by chance
  // only makes a number of its own.
  private var older: Set<UInt32> = []
  private var newer: Set<UInt32> = []
  private var rotated: Instant?
  private var living: LaterFlows
  private var last: UInt32
  /// Entries that could not be distinguished from those before them, and ends that could not be remembered, since start.
  private(set) var overflow: UInt64 = 0

  /// Goes on where another ended: those of `living` keep their numbers, and none of theirs is given again.
  init(after living: LaterFlows = LaterFlows()) {
    self.living = living
    last = living.last
  }

  /// Numbers an entry that was made.
  mutating func number(made flow: inout Flow) {
    if hasEnded(flow.id) {
      if living.count < Self.capacity {
        last = last == .max ? 1 : last + 1
        flow.generation = last
      } else {
        overflow += 1
      }
    }
    living.note(made: flow.identity)
  }

  /// Numbers an entry that ended as it was when it was made.
  mutating func number(ended flow: inout Flow) {
    living.number(&flow)
    living.note(ended: flow.identity)
    if newer.count < FlowEventQueue.capacity { newer.insert(flow.id) } else { overflow += 1 }
  }

  /// True when this entry is no longer the one with its ends.
  func isOver(_ flow: FlowIdentity) -> Bool { hasEnded(flow.id) && !living.contains(flow) }

  /// To be called when all that was received is about to be taken: what ended long before can be forgotten, for who
  /// takes it forgets it as well.
  mutating func rotate(at now: Instant) {
    if let rotated, now - rotated < Self.memory { return }
    rotated = now
    swap(&older, &newer)
    newer.removeAll(keepingCapacity: true)
  }

  private func hasEnded(_ id: UInt32) -> Bool { newer.contains(id) || older.contains(id) }
}

/// The living entries that are not the first of their identity, with their numbers.
struct LaterFlows {
  /// By hashes of their identities without a number: of a busy server these are most of the table.
  private var generations: [Int: UInt32] = [:]
  /// The latest number that was taken.
  private(set) var last: UInt32 = 0

  /// How many there are.
  var count: Int { generations.count }

  /// Takes an entry that was made.
  mutating func note(made flow: FlowIdentity) {
    if flow.generation != 0 {
      generations[flow.unnumberedHash] = flow.generation
      last = flow.generation
    } else if !generations.isEmpty {
      generations[flow.unnumberedHash] = nil
    }
  }

  /// Takes an entry that ended.
  mutating func note(ended flow: FlowIdentity) {
    if contains(flow) { generations[flow.unnumberedHash] = nil }
  }

  /// Gives an entry its number.
  func number(_ flow: inout Flow) {
    if !generations.isEmpty { flow.generation = generations[flow.identity.unnumberedHash] ?? 0 }
  }

  /// True when the entry that lives with these ends is another than `flow`.
  func isAnother(_ flow: Flow) -> Bool {
    if generations.isEmpty { return false }
    return generations[flow.identity.unnumberedHash].map { $0 != flow.generation } ?? false
  }

  /// True for one that is not the first of its identity.
  func contains(_ flow: FlowIdentity) -> Bool {
    flow.generation != 0 && generations[flow.unnumberedHash] == flow.generation
  }

  /// Forgets all but these.
  mutating func keep(_ flows: [Flow]) {
    if generations.isEmpty { return }
    let kept = Set(flows.lazy.map(\.identity.unnumberedHash))
    generations = generations.filter { kept.contains($0.key) }
  }
}

extension FlowIdentity {
  /// A hash of the identifier and the ends alone.
  fileprivate var unnumberedHash: Int { FlowIdentity(id: id, zone: zone, original: original).hashValue }
}
