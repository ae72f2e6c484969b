import Model

/// A description with what shows whether it still holds.
package struct RememberedDescription {
  private static let longestPause: UInt64 = 16

  var description: ProcessDescription
  /// The command lines of the ancestors as they were when first asked for.
  var ancestors: [String]?
  /// The inode of /proc/PID/cmdline: as long as it is the same, so is the process.
  var commandLineInode: UInt64
  /// The hash of the command line's bytes.
  var commandLineHash: Int
  /// When to read the command line again.
  var nextCheck: UInt64
  /// The tick at which the process was found gone; nil while it lives.
  var exitedAt: UInt64?
  private var pause: UInt64 = 1

  init(_ description: ProcessDescription, commandLineInode: UInt64, commandLineHash: Int, at tick: UInt64) {
    self.description = description
    self.commandLineInode = commandLineInode
    self.commandLineHash = commandLineHash
    nextCheck = tick + 1
  }

  /// True when nothing is to be read at `tick`.
  func holds(at tick: UInt64, ancestors isAsked: Bool) -> Bool {
    (exitedAt != nil || nextCheck > tick) && (!isAsked || ancestors != nil)
  }

  /// The description, with its ancestors if asked for.
  func description(ancestors isAsked: Bool) -> ProcessDescription {
    var description = description
    if isAsked, let ancestors { description.ancestors = ancestors }
    return description
  }

  /// Notes that the command line is the same at `tick`: the next look comes after twice the pause, and once
  /// that is the longest, at a tick of the process's own, so that not all are looked at together.
  mutating func confirm(at tick: UInt64) {
    if pause < Self.longestPause { pause *= 2 }
    let turn = tick &+ UInt64(truncatingIfNeeded: description.identity.pid)
    nextCheck = tick + (pause < Self.longestPause ? pause : pause - turn % pause)
  }

  /// Bytes of text.
  var byteCount: Int { description.byteCount + (ancestors ?? []).reduce(0) { $0 + $1.utf8.count } }
}

extension ProcessDescription {
  /// Bytes of text: what any user can make long.
  var byteCount: Int {
    (executable?.utf8.count ?? 0) + commandLine.utf8.count + (place.cgroup?.utf8.count ?? 0)
      + arguments.reduce(0) { $0 + $1.utf8.count } + ancestors.reduce(0) { $0 + $1.utf8.count }
  }
}
