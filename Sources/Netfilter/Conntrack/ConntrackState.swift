/// What the kernel says of its connection table in this network namespace, beside the entries themselves.
///
/// Nil where it does not say.
public struct ConntrackState: Sendable, Equatable {
  /// Entries that count against the limit (nf_conntrack_count): also those that no dump lists, because they have
  /// ended and are kept until a listener has received their end.
  public var count: Int?
  /// How many fit (nf_conntrack_max).
  public var limit: Int?
  /// Whether new connections get byte counters (nf_conntrack_acct).
  public var isAccounting: Bool?
  /// Connections that did not get into the table, or did not stay there, since the namespace was made.
  public var lost: UInt64?

  /// Makes a state.
  public init(count: Int? = nil, limit: Int? = nil, isAccounting: Bool? = nil, lost: UInt64? = nil) {
    self.count = count
    self.limit = limit
    self.isAccounting = isAccounting
    self.lost = lost
  }

  /// Reads it as it is now: four small files of /proc.
  public static func read() -> ConntrackState {
    ConntrackState(
      count: ConntrackSettings.count(), limit: ConntrackSettings.limit(),
      isAccounting: ConntrackSettings.isAccounting(), lost: ConntrackLosses.read()?.all)
  }
}
