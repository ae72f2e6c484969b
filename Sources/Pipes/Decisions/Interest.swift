import SystemRuntime

/// Which changes of a socket a poller reports, so that few of its events are useless. Does no I/O.
struct Interest: Sendable {
  /// How many useless events are answered before the poller is asked not to report them.
  static let patience = 2

  /// What is reported, of readable and writable.
  private(set) var changes: Readiness = [.readable, .writable]
  // How many events of each kind were useless since it was last waited for.
  private var uselessReads = 0
  private var uselessWrites = 0

  /// Nothing could be done about an event that said `change`. True when it is to be reported no longer: `changes` is
  /// without it then.
  mutating func sawUseless(_ change: Readiness) -> Bool {
    if change == .readable { uselessReads += 1 } else { uselessWrites += 1 }
    guard (change == .readable ? uselessReads : uselessWrites) == Self.patience else { return false }
    changes.remove(change)
    return true
  }

  /// `change` is waited for. True when it is to be reported again: `changes` is with it then.
  mutating func needs(_ change: Readiness) -> Bool {
    if change == .readable { uselessReads = 0 } else { uselessWrites = 0 }
    return changes.insert(change).inserted
  }
}
