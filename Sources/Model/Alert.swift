/// A rule that was crossed, or is no longer.
public struct Alert: Sendable, Hashable {
  /// What happened to the rule.
  public enum State: Sendable, Hashable {
    /// The rate went above the threshold.
    case firing
    /// It has been above for another while; `count` is 2 for the first repetition.
    case repeated(count: Int)
    /// It is over.
    case resolved(Resolution)
  }

  /// Why an alert is over.
  public enum Resolution: String, Sendable, Hashable {
    /// The rate fell to the clear level.
    case below
    /// Nothing of the application is left.
    case gone
    /// A new configuration no longer has the rule.
    case removed
  }

  /// Which of the owner's directions.
  public enum Direction: String, Sendable, Hashable, CaseIterable {
    /// Bytes that came to the application.
    case received
    /// Bytes that it sent.
    case sent
  }

  /// The section of the configuration that it comes from.
  public var rule: String
  /// The application.
  public var subject: String
  /// The direction that was crossed.
  public var direction: Direction
  /// What happened.
  public var state: State
  /// The average over the rule's interval.
  public var value: Rate
  /// The limit that was crossed.
  public var threshold: Rate
  /// The time that the average is over.
  public var interval: Duration
  /// The processes of the application.
  public var pids: [Int32]
  /// How the probed targets were at the time; empty where none are probed.
  public var probes: [ProbeState] = []
  /// When the alert was first raised.
  public var since: Timestamp
  /// When this happened.
  public var time: Timestamp

  /// Makes an alert.
  public init(
    rule: String, subject: String, direction: Direction, state: State, value: Rate, threshold: Rate,
    interval: Duration, pids: [Int32], since: Timestamp, time: Timestamp
  ) {
    self.rule = rule
    self.subject = subject
    self.direction = direction
    self.state = state
    self.value = value
    self.threshold = threshold
    self.interval = interval
    self.pids = pids
    self.since = since
    self.time = time
  }
}
