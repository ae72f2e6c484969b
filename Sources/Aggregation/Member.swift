import Model

/// What is remembered of a process that has moved something.
struct Member: Sendable {
  /// What it ran when its application was decided; nil once it has ended, or if it could not be read.
  var process: ProcessDescription?
  /// The name of its application; nil if that must be decided anew.
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

/// The processes that have moved something: a bounded number of living ones, and the last that ended.
struct MemberTable: Sendable {
  let limit: Int
  let exitedLimit: Int
  private(set) var members: [ProcessIdentity: Member] = [:]
  /// Those that ended, the earliest first.
  private var exited: [ProcessIdentity] = []

  init(limit: Int, exitedLimit: Int) {
    self.limit = max(2, limit)
    self.exitedLimit = max(2, exitedLimit)
  }

  var count: Int { members.count }
  private var livingCount: Int { members.count - exited.count }

  /// The place of a process that is remembered.
  func index(of identity: ProcessIdentity) -> Dictionary<ProcessIdentity, Member>.Index? {
    members.index(forKey: identity)
  }

  subscript(index: Dictionary<ProcessIdentity, Member>.Index) -> Member {
    get { members.values[index] }
    _modify { yield &members.values[index] }
  }

  /// Remembers a process that was not known. Returns those that were forgotten for it, the least active ones.
  mutating func insert(_ member: Member, for identity: ProcessIdentity) -> [ProcessIdentity: Member] {
    var forgotten: [ProcessIdentity: Member] = [:]
    if livingCount >= limit {
      let living = members.filter(\.value.isLiving)
        .sorted { ($0.value.lastTick, $0.key) < ($1.value.lastTick, $1.key) }
      // Many at once, so that the next ones need no search.
      for (identity, member) in living.prefix(max(1, limit / 4)) {
        forgotten[identity] = member
        members[identity] = nil
      }
    }
    members[identity] = member
    return forgotten
  }

  /// Notes that a process ended, known or not; returns what was known of it while it lived, nil if nothing.
  mutating func end(_ identity: ProcessIdentity, tick: Int) -> Member? {
    let member = members[identity]
    if let member, !member.isLiving { return nil }
    members[identity, default: Member(lastTick: tick)].isLiving = false
    members[identity]?.process = nil
    exited.append(identity)
    if exited.count > exitedLimit {
      for identity in exited.prefix(exitedLimit / 2) { members[identity] = nil }
      exited.removeFirst(exitedLimit / 2)
    }
    return member
  }

  /// Calls `body` with each member.
  mutating func updateEach(_ body: (ProcessIdentity, inout Member) -> Void) {
    var index = members.startIndex
    while index != members.endIndex {
      body(members[index].key, &members.values[index])
      members.formIndex(after: &index)
    }
  }
}
