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
  private let byteLimit: Int
  /// Bytes of text that are remembered.
  private(set) var byteCount = 0

  /// Remembers at most `limit` of them, with at most `byteLimit` bytes of text together.
  init(limit: Int, byteLimit: Int = 8 << 20) {
    self.limit = limit
    self.byteLimit = byteLimit
  }

  /// How many are remembered.
  var count: Int { entries.count }

  /// Remembers a process that has ended.
  mutating func add(_ description: ProcessDescription) {
    let bytes = description.byteCount
    guard limit > 0, bytes <= byteLimit else {
      forgotten += 1
      return
    }
    byteCount += bytes - (entries[description.identity]?.description.byteCount ?? 0)
    entries[description.identity] = (description, 0)
    use(description.identity)
    while entries.count > limit || byteCount > byteLimit { forgetOldest() }
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
      guard let entry = entries[candidate.identity], entry.use == candidate.use else { continue }
      byteCount -= entry.description.byteCount
      entries[candidate.identity] = nil
      forgotten += 1
      return
    }
  }
}
