import Model

/// One look for the holders of sockets: which processes are said to hold them, and how sure that is.
struct HolderSearch {
  /// One descriptor that holds, or held, a wanted socket.
  struct Candidate {
    let inode: UInt64
    let process: Int
    let descriptor: Int32
    let thread: Int32
    /// The next candidate for the same inode; nil for the last.
    let next: Int?
    /// True when the descriptor was looked at in this search.
    var isFresh: Bool
    /// False once another look found something else.
    var isValid = true
  }

  let wanted: Set<UInt64>
  private(set) var candidates: [Candidate] = []
  // The first candidate of an inode, and those of a process.
  private var first: [UInt64: Int] = [:]
  private var ranges: [Range<Int>]
  private var hasInvalid = false

  init(wanted: Set<UInt64>, processes: Int) {
    self.wanted = wanted
    ranges = Array(repeating: 0..<0, count: processes)
    first.reserveCapacity(wanted.count)
    candidates.reserveCapacity(wanted.count)
  }

  /// Replaces what `process`, which stands at `index`, is said to hold.
  mutating func set(_ process: KnownProcess, at index: Int) {
    for candidate in ranges[index] {
      candidates[candidate].isValid = false
      hasInvalid = true
    }
    let start = candidates.count
    for socket in process.sockets where wanted.contains(socket.inode) {
      let next = first.updateValue(candidates.count, forKey: socket.inode)
      candidates.append(
        Candidate(
          inode: socket.inode, process: index, descriptor: socket.descriptor, thread: socket.thread,
          next: next, isFresh: process.isFresh))
    }
    ranges[index] = start..<candidates.count
  }

  /// Notes what a look at a candidate's descriptor found.
  mutating func confirm(_ candidate: Int, _ isValid: Bool) {
    candidates[candidate].isFresh = true
    candidates[candidate].isValid = isValid
    if !isValid { hasInvalid = true }
  }

  /// The candidates to look at again: those whose socket has just been seen elsewhere too, and of the others
  /// so many that `budget` is kept and all have their turn, a tick for each.
  func due(budget: Int, at tick: UInt64) -> [Int] {
    var mustCheck = Set<Int>()
    var stale = 0
    for candidate in candidates where candidate.isValid {
      if candidate.isFresh {
        chain(from: first[candidate.inode]) { if !candidates[$0].isFresh { mustCheck.insert($0) } }
      } else {
        stale += 1
      }
    }
    let period = UInt64((stale + max(budget, 1) - 1) / max(budget, 1))
    return candidates.indices.filter { index in
      let candidate = candidates[index]
      guard candidate.isValid, !candidate.isFresh else { return false }
      // Spread by a multiplicative hash: inodes of one server often have equal distances.
      let turn = (candidate.inode &* 0x9e37_79b9_7f4a_7c15) >> 32
      return budget > 0 && (turn &+ tick) % period == 0 || mustCheck.contains(index)
    }
  }

  /// The wanted inodes without a holder.
  var missing: [UInt64] {
    // In most calls each has one.
    if !hasInvalid, first.count == wanted.count { return [] }
    return wanted.filter { inode in
      var isHeld = false
      chain(from: first[inode]) { _ in isHeld = true }
      return !isHeld
    }
  }

  /// How many candidates are taken without a look.
  var remembered: Int { candidates.count { $0.isValid && !$0.isFresh } }

  /// The holders of each inode, the oldest first.
  func result(_ processes: [KnownProcess]) -> [UInt64: [ProcessIdentity]] {
    var areAllHeld = true
    // Keeps the places of the keys, so that none is hashed again.
    let holders = first.mapValues { start in
      var held: [ProcessIdentity] = []
      chain(from: start) { index in
        let process = processes[candidates[index].process]
        if held.isEmpty {
          held = process.asHolders
        } else if let identity = process.identity, !held.contains(identity) {
          held.append(identity)
        }
      }
      if held.isEmpty { areAllHeld = false }
      if held.count > 1 { held.sort() }
      return held
    }
    return areAllHeld ? holders : holders.filter { !$0.value.isEmpty }
  }

  private func chain(from start: Int?, _ body: (Int) -> Void) {
    var current = start
    while let index = current {
      if candidates[index].isValid { body(index) }
      current = candidates[index].next
    }
  }
}
