/// A line of a report: a process, an application, or bytes that have no owner.
public struct UsageRow: Sendable, Hashable {
  /// Whose row it is.
  public enum Subject: Sendable, Hashable {
    /// One process; `exited` in the first report after its end.
    case process(pid: Int32, uid: UInt32, exited: Bool)
    /// So many processes that have ended, all of one command line.
    case exited(processes: UInt64)
    /// All processes of an application, by pid.
    case application(pids: [Int32])
    /// A pipe: connections that are open, that were accepted since start, and that found no target.
    case pipe(open: Int, accepted: UInt64, failed: UInt64)
    /// A client of a pipe: its address, its process if that is one of this host, and its open connections.
    case client(pipe: String, address: IPAddress?, process: ProcessIdentity?, open: Int)
    /// Forwarded, kernel, unattributed, untracked or evicted bytes.
    case remainder
  }

  /// The command line, the application, or `(forwarded)`, `(kernel)`, `(unattributed: REASON)`, `(untracked)`,
  /// `(evicted)`.
  public var name: String
  /// Whose row it is.
  public var subject: Subject
  /// Bytes since start, with what had moved before unless that was not wanted.
  public var total: Usage
  /// Bytes in the report's interval.
  public var moved: Usage
  /// What of `moved` passed each interface that was asked for; only applications have it.
  public var interfaces: [InterfaceUsage] = []
  /// How sure it is that all these bytes are the row's.
  public var certainty: Certainty
  /// Where the process runs; of other rows nothing is known.
  public var place: ProcessPlace
  /// True when nobody is left who could move more: all processes of a command line or an application have ended, or a
  /// client has no open connection.
  public var hasEnded: Bool

  /// Makes a row.
  public init(
    name: String, subject: Subject, total: Usage, moved: Usage, certainty: Certainty = Certainty(),
    place: ProcessPlace = ProcessPlace(), hasEnded: Bool = false
  ) {
    self.name = name
    self.subject = subject
    self.total = total
    self.moved = moved
    self.certainty = certainty
    self.place = place
    self.hasEnded = hasEnded
  }
}

extension UsageRow {
  /// The name of the row that holds what rows without room had moved.
  public static let evictedName = "(evicted)"
  /// The name of the row for what the connection table did not see.
  public static let untrackedName = "(untracked)"
}

extension Owner {
  /// The name of the row for bytes that no process or pipe moved: `(forwarded)`, `(kernel)`,
  /// `(unattributed: REASON)`, `(untracked)`; nil for a process and a pipe.
  public var remainderName: String? {
    switch self {
    case .process, .pipe: nil
    case .forwarded: "(forwarded)"
    case .kernel: "(kernel)"
    case .unattributed(let reason): "(unattributed: \(reason.rawValue))"
    case .untracked: UsageRow.untrackedName
    }
  }
}

/// Which bytes are counted.
public enum Layer: String, Sendable, Hashable, CaseIterable {
  /// IP packets, with their headers.
  case l3
  /// What the applications at both ends sent and received.
  case payload
}

/// All rows of one interval with their balance.
public struct UsageReport: Sendable, Hashable {
  /// When the interval ended.
  public var time: Timestamp
  /// How long it was; nil for the first report, which has no rates.
  public var interval: Duration?
  /// Which bytes are counted.
  public var layer: Layer
  /// One row an owner or application, in no promised order.
  public var rows: [UsageRow]
  /// Where all bytes went, since start.
  public var balance: Balance
  /// How well the measurement went, since start.
  public var health: Health
  /// What passed each interface that was asked for, in the report's interval.
  public var paths: [PathUsage] = []
  /// How the probed targets are; empty without any.
  public var probes: [ProbeState] = []

  /// Makes a report.
  public init(
    time: Timestamp, interval: Duration?, layer: Layer = .l3, rows: [UsageRow], balance: Balance,
    health: Health
  ) {
    self.time = time
    self.interval = interval
    self.layer = layer
    self.rows = rows
    self.balance = balance
    self.health = health
  }
}
