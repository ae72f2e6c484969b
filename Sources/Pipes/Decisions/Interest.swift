import SystemRuntime

/// Which changes of a socket a poller reports, so that few of its events are useless. Does no I/O.
struct Interest: Sendable, Equatable {
  /// How many useless events are answered before the poller is asked not to report them.
  static let patience = 2

  /// What is reported, of readable and writable.
  private(set) var changes: Readiness = [.readable, .writable]
  private var uselessReads = 0
  private var uselessWrites = 0

  /// Nothing could be done about an event that said `change`. True when it is to be reported no longer: `changes` is
  /// without it then.
  mutating func sawUseless(_ change: Readiness) -> Bool {
    guard changes.contains(change), count(change, 1) == Self.patience else { return false }
    changes.remove(change)
    return true
  }

  /// `change` is waited for. True when it is to be reported again: `changes` is with it then.
  mutating func needs(_ change: Readiness) -> Bool {
    count(change, nil)
    return changes.insert(change).inserted
  }

  /// Counts useless events of one kind on, or from the beginning with nil.
  @discardableResult
  private mutating func count(_ change: Readiness, _ more: Int?) -> Int {
    if change == .readable {
      uselessReads = more.map { uselessReads + $0 } ?? 0
      return uselessReads
    }
    uselessWrites = more.map { uselessWrites + $0 } ?? 0
    return uselessWrites
  }
}
