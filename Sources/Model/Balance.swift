/// Where all bytes that the kernel counted went; the parts add up to `total`, exactly.
///
/// The view is the host's: a byte of a loopback flow is sent once and received once, a forwarded byte comes
/// in once and leaves once. Beside them stands what the interfaces moved: their view is the same.
public struct Balance: Sendable, Hashable {
  /// Bytes that a process or pipe moved.
  public var attributed: Usage
  /// Bytes that passed through this host.
  public var forwarded: Usage
  /// Bytes that the kernel moved for itself.
  public var kernel: Usage
  /// Bytes without a known owner, by reason.
  public var unattributed: [Owner.Reason: Usage]
  /// How much of all the filters keep out of the rows, whatever part it belongs to.
  public var hidden: Usage
  /// How much of all moved between two ends of this host.
  public var loopback: Usage
  /// How much of all is payload without headers, where packets are counted with theirs: of connections that the kernel
  /// does not count.
  public var payload: Usage
  /// What the interfaces moved, as network packets, and no flow explains; no part of `total`. It never decreases.
  public var untracked: Usage
  /// What the interfaces moved, as network packets; zero where that is not read.
  public var interfaces: Usage

  /// Makes a balance; without arguments, an empty one.
  public init(
    attributed: Usage = .zero, forwarded: Usage = .zero, kernel: Usage = .zero,
    unattributed: [Owner.Reason: Usage] = [:], hidden: Usage = .zero, loopback: Usage = .zero,
    payload: Usage = .zero, untracked: Usage = .zero, interfaces: Usage = .zero
  ) {
    self.attributed = attributed
    self.forwarded = forwarded
    self.kernel = kernel
    self.unattributed = unattributed
    self.hidden = hidden
    self.loopback = loopback
    self.payload = payload
    self.untracked = untracked
    self.interfaces = interfaces
  }

  /// All bytes without a known owner.
  public var unattributedTotal: Usage { unattributed.values.reduce(.zero, +) }

  /// All bytes.
  public var total: Usage { attributed + forwarded + kernel + unattributedTotal }

  /// How much of what the interfaces moved the connection table saw, in percent; nil when nothing moved.
  public var coverage: Double? {
    let all = Double(interfaces.received) + Double(interfaces.sent)
    if all == 0 { return nil }
    return max(0, 1 - (Double(untracked.received) + Double(untracked.sent)) / all) * 100
  }

  /// Adds `usage` to the part that `owner` belongs to.
  public mutating func add(_ usage: Usage, of owner: Owner) {
    switch owner {
    case .process, .pipe: attributed += usage
    case .forwarded: forwarded += usage
    case .kernel: kernel += usage
    case .unattributed(let reason): unattributed[reason, default: .zero] += usage
    case .untracked: untracked += usage
    }
  }

  /// Adds every part of `right` to `left`.
  public static func += (left: inout Balance, right: Balance) {
    left.attributed += right.attributed
    left.forwarded += right.forwarded
    left.kernel += right.kernel
    left.unattributed.merge(right.unattributed, uniquingKeysWith: +)
    left.hidden += right.hidden
    left.loopback += right.loopback
    left.payload += right.payload
    left.untracked += right.untracked
    left.interfaces += right.interfaces
  }
}

/// How well the measurement went: what was seen, and what did not fit or could not be read, since start.
public struct Health: Sendable, Hashable {
  /// Flows in the connection table now.
  public var flows = 0
  /// Flows in the table now that the kernel does not count: they are older than its accounting.
  public var uncounted = 0
  /// Flows in the table now whose packets bypass the kernel's counters at least in part.
  public var offloaded = 0
  /// Events of the kernel that were lost, and readings for which there were more of them than time.
  public var missedEvents: UInt64 = 0
  /// Flows that left the connection table without the kernel's word: what they moved after the last look is not known.
  public var missedEnds: UInt64 = 0
  /// Connections that got no place in the connection table, or lost it or collided there, as the kernel counts them.
  public var lostEntries: UInt64 = 0
  /// Times that the counters of a connection were found to have been zeroed by another program.
  public var counterResets: UInt64 = 0
  /// Dumps that the kernel reported as inconsistent and that were repeated.
  public var interruptedDumps: UInt64 = 0
  /// Messages, attributes or lines that could not be understood.
  public var malformed: UInt64 = 0
  /// Processes that ended while they were read.
  public var vanished: UInt64 = 0
  /// Processes that may not be read, in the last look.
  public var denied = 0
  /// Reads of a process that failed for another reason.
  public var failedReads: UInt64 = 0
  /// Sockets, descriptors, names and parts of command lines that did not fit what is set aside for them.
  public var dropped: UInt64 = 0
  /// Other network namespaces that processes are in now and that were looked into.
  public var namespaces = 0
  /// Other network namespaces that processes are in now and that could not be looked into: too many, or denied.
  public var unreadNamespaces = 0
  /// Owners whose row was folded into `(evicted)` because there were too many.
  public var evicted: UInt64 = 0
  /// Searches of a user's regular expression that were given up because they took too long.
  public var abandonedSearches: UInt64 = 0
  /// Reports that were not written because the reader of the output was too slow.
  public var skippedReports: UInt64 = 0
  /// Notifications that were not run because too many waited.
  public var droppedNotifications: UInt64 = 0
  /// Records that were to be published and never will be.
  public var droppedRecords: UInt64 = 0

  /// Makes the health of a meter that has seen nothing.
  public init() {}

  /// What is true now.
  public static var gauges: [WritableKeyPath<Health, Int>] {
    [\.flows, \.uncounted, \.offloaded, \.denied, \.namespaces, \.unreadNamespaces]
  }

  /// What was counted since start.
  public static var counters: [WritableKeyPath<Health, UInt64>] {
    [
      \.missedEvents, \.missedEnds, \.lostEntries, \.counterResets, \.interruptedDumps, \.malformed,
      \.vanished,
      \.failedReads, \.dropped, \.evicted, \.abandonedSearches, \.skippedReports, \.droppedNotifications,
      \.droppedRecords,
    ]
  }

  /// Adds what another meter saw.
  public static func += (left: inout Health, right: Health) {
    for gauge in gauges { left[keyPath: gauge] &+= right[keyPath: gauge] }
    for counter in counters { left[keyPath: counter] &+= right[keyPath: counter] }
  }
}
