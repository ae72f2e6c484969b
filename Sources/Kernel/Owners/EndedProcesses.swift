import Model

/// What processes ran that have ended; those asked for longest ago make room.
struct EndedProcesses {
  /// Descriptions that had to make room, since start.
  private(set) var forgotten: UInt64 = 0
  private var entries: [ProcessIdentity: (description: ProcessDescription, use: UInt64)] = [:]
  private var uses: [(identity: ProcessIdentity, use: UInt64)] = []
  // Where the uses begin that are not yet outdated.
  private var oldest = 0
  private var clock: UInt64 = 0
  private let limit: Int

  /// Remembers at most `limit` of them.
  init(limit: Int) { self.limit = limit }

  /// How many are remembered.
  var count: Int { entries.count }

  /// Remembers a process that has ended.
  mutating func add(_ description: ProcessDescription) {
    guard limit > 0 else {
      forgotten += 1
      return
    }
    entries[description.identity] = (description, 0)
    use(description.identity)
    while entries.count > limit { forgetOldest() }
  }

  /// What a process ran.
  mutating func description(of identity: ProcessIdentity) -> ProcessDescription? {
    guard let entry = entries[identity] else { return nil }
    use(identity)
    return entry.description
  }

  private mutating func use(_ identity: ProcessIdentity) {
    clock += 1
    entries[identity]?.use = clock
    uses.append((identity, clock))
    if uses.count > 2 * limit + 64 {
      uses = uses[oldest...].filter { entries[$0.identity]?.use == $0.use }
      oldest = 0
    }
  }

  private mutating func forgetOldest() {
    while oldest < uses.count {
      let candidate = uses[oldest]
      oldest += 1
      guard entries[candidate.identity]?.use == candidate.use else { continue }
      entries[candidate.identity] = nil
      forgotten += 1
      return
    }
  }
}
