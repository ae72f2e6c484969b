public import Model

/// Attempts to reach something, in their order, into its outages. Does no I/O.
///
/// It is taken for reachable at the start, which is where the first uptime begins, unless an earlier run knew better. Durations come from the clock that is
/// never set; the time of day is only carried along. Both are those before an attempt: an outage lasts from the begin of
/// the first attempt that failed to the begin of the first that succeeded.
public struct OutageTracker: Sendable {
  /// Whether the last attempt succeeded.
  public private(set) var isUp: Bool

  private let subject: String
  private let minimum: Duration
  private var changed: Instant

  /// Starts at `start`; an outage of `subject` that is shorter than `minimum` is ignored. With `downSince` an outage goes on
  /// that was under way when the program ended.
  public init(
    subject: String, ignoringShorterThan minimum: Duration, start: Instant,
    downSince: Instant? = nil
  ) {
    self.subject = subject
    self.minimum = minimum
    isUp = downSince == nil
    changed = downSince ?? start
  }

  /// Since when it is down; nil while it is up.
  public var downSince: Instant? { isUp ? nil : changed }

  /// Takes an attempt that began at `began`, when it was `time`; returns the change that it is, if it is one.
  ///
  /// The end of an ignored outage starts a new uptime, as that of every other does.
  public mutating func record(
    reachable: Bool, attemptBegan began: Instant, at time: Timestamp
  ) -> Outage? {
    guard reachable != isUp else { return nil }
    let lasted = began - changed
    isUp = reachable
    changed = began
    let state =
      reachable
      ? Outage.State.ended(downtime: lasted, isIgnored: lasted < minimum)
      : .began(afterUptime: lasted)
    return Outage(subject: subject, state: state, time: time)
  }
}
