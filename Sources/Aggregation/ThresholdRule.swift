import Model
import Patterns

/// A limit on the average rate of applications.
public struct ThresholdRule: Sendable {
  /// What raises an alert, and what ends it.
  public struct Level: Sendable, Hashable {
    /// An average above this is too much.
    public var threshold: Rate
    /// An average that is not above this is over; at most the threshold.
    public var clear: Rate
  }

  /// Which rows of a report a rule looks at.
  enum Filter: Sendable {
    case applications
    case matching(Pattern)
    case remainder(String)
  }

  /// The name of the section.
  public let name: String
  /// The limit of what an application receives, nil for none.
  public let received: Level?
  /// The limit of what it sends, nil for none.
  public let sent: Level?
  /// The time that the average is over.
  public let interval: Duration
  /// How long the average must be above the threshold before an alert is raised.
  public let hold: Duration
  /// How long it must not be above the clear level, or be gone, before the alert is over.
  public let keepFiring: Duration
  /// The time between two repetitions of an alert; nil for none.
  public let repeatInterval: Duration?
  /// What the administrator should change in the section.
  public let warnings: [Warning]
  let filter: Filter

  /// The limit of a direction.
  public func level(_ direction: Alert.Direction) -> Level? {
    switch direction {
    case .received: received
    case .sent: sent
    }
  }

  /// What distinguishes the filter of a reloaded rule from the one before.
  var filterSource: String {
    switch filter {
    case .applications: ""
    case .matching(let pattern): pattern.source
    case .remainder(let name): name
    }
  }

  /// When it is reported.
  var timing: AlertTiming {
    AlertTiming(hold: hold, keepFiring: keepFiring, repeatInterval: repeatInterval)
  }

  /// The interval in nanoseconds.
  var intervalNanoseconds: Int64 { interval.wholeNanoseconds }
}

extension ThresholdRule {
  init(
    name: String, filter: Filter, received: Level?, sent: Level?, interval: Duration, hold: Duration,
    keepFiring: Duration, repeatInterval: Duration?, warnings: [Warning]
  ) {
    self.name = name
    self.filter = filter
    self.received = received
    self.sent = sent
    self.interval = interval
    self.hold = hold
    self.keepFiring = keepFiring
    self.repeatInterval = repeatInterval
    self.warnings = warnings
  }
}

extension Duration {
  /// The duration in nanoseconds; durations of configuration and ticks are far below the 292 years that fit.
  var wholeNanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
