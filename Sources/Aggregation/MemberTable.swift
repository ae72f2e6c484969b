import Model

/// The processes that have moved something: a bounded number of living ones, and the last that ended.
struct MemberTable: Sendable {
  let limit: Int
  let exitedLimit: Int
  /// By their place, which `places` gives. A tick reads each member here, in place: copying one would cost more
  /// than all else that is done for a reading.
  var entries: [Member] = []
  private var places: [ProcessIdentity: Int] = [:]
  private var free: [Int] = []
  /// Those that ended, the earliest first.
  private var exited: [ProcessIdentity] = []

  init(limit: Int, exitedLimit: Int) {
    self.limit = max(2, limit)
    self.exitedLimit = max(2, exitedLimit)
  }

  private var livingCount: Int { places.count - exited.count }

  /// The place of a process that is remembered.
  func index(of identity: ProcessIdentity) -> Int? { places[identity] }

  /// All processes that are remembered, with their places.
  var all: [ProcessIdentity: Int] { places }

  /// Remembers a process that was not known. Returns those that were forgotten for it, the least active ones.
  mutating func insert(_ member: Member, for identity: ProcessIdentity) -> [(ProcessIdentity, Member)] {
    var forgotten: [(ProcessIdentity, Member)] = []
    if livingCount >= limit {
      let living = places.filter { entries[$0.value].isLiving }
        .sorted { (entries[$0.value].lastTick, $0.key) < (entries[$1.value].lastTick, $1.key) }
      // Many at once, so that the next ones need no search.
      for (identity, place) in living.prefix(max(1, limit / 4)) {
        forgotten.append((identity, entries[place]))
        forget(identity)
      }
    }
    store(member, for: identity)
    return forgotten
  }

  /// Notes that a process ended, known or not; returns what was known of it while it lived, nil if nothing.
  mutating func end(_ identity: ProcessIdentity, tick: Int) -> Member? {
    var known: Member?
    if let place = places[identity] {
      guard entries[place].isLiving else { return nil }
      known = entries[place]
      entries[place].isLiving = false
      entries[place].process = nil
    } else {
      store(Member(isLiving: false, lastTick: tick), for: identity)
    }
    exited.append(identity)
    if exited.count > exitedLimit {
      for identity in exited.prefix(exitedLimit / 2) { forget(identity) }
      exited.removeFirst(exitedLimit / 2)
    }
    return known
  }

  private mutating func store(_ member: Member, for identity: ProcessIdentity) {
    if let place = free.popLast() {
      entries[place] = member
      places[identity] = place
    } else {
      entries.append(member)
      places[identity] = entries.count - 1
    }
  }

  private mutating func forget(_ identity: ProcessIdentity) {
    guard let place = places.removeValue(forKey: identity) else { return }
    entries[place] = Member(isLiving: false, lastTick: 0)
    free.append(place)
  }
}

/// What is remembered of a process that has moved something.
struct Member: Sendable {
  /// What it ran when its application was decided; nil once it has ended, or if it could not be read.
  var process: ProcessDescription?
  /// The name of its application; nil if that must be decided again.
  var application: String?
  /// The application's place; nil if there was no room.
  var place: ApplicationTable.Handle?
  /// False once it has ended. It is remembered for a while, because its last bytes may be counted later.
  var isLiving = true
  /// Whether it was counted as one that had no room.
  var isCountedOut = false
  /// When it last moved something.
  var lastTick: Int
}
