import Model

/// What is remembered of a process that lives, as far as is known.
struct LivingProcess {
  let pid: Int32
  /// Who made it; 0 where that is not known.
  var parent: Int32
  /// Nil until its start time was read.
  var identity: ProcessIdentity?
  /// The user it belongs to, as last seen.
  var user: UInt32?
  /// Kept open for those that matter most.
  var folder: ProcessFolder?
  /// Descriptor numbers with the inode of their socket, 0 for anything else, as last seen.
  var descriptors: [Int32: UInt64] = [:]
  /// True from when it runs another program until that was read: what was open may be closed.
  var isUnread = false
  /// How many descriptors there were when all were last listed; nil when they never were, or not all were read.
  var descriptorCount: Int64?
  /// The number under which its last wanted socket was found.
  var lastFound: Int32?
  /// What it runs; nil until it was read.
  var description: ProcessDescription?
  /// True once it owned a wanted socket.
  var hasOwned = false
  /// Its place in the order of starts: the higher, the later.
  var turn: UInt64 = 0
  /// The place in that order of the process that it made last; 0 for none.
  var lastFork: UInt64 = 0

  init(pid: Int32, parent: Int32 = 0) {
    self.pid = pid
    self.parent = parent
  }

  /// The numbers that a new socket most likely has: the kernel gives the lowest free one, and a program that opens
  /// one connection after the other gets the same again.
  var likelyNumbers: [Int32] {
    var numbers: [Int32] = []
    if let lastFound { numbers += [lastFound, lastFound + 1] }
    // The first three are always open, or as good as.
    var number: Int32 = 3
    var left = 2
    while left > 0 {
      if isUnread || descriptors[number] == nil {
        if !numbers.contains(number) { numbers.append(number) }
        left -= 1
      }
      number += 1
    }
    return numbers
  }
}
