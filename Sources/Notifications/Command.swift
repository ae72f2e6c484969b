public import Model

/// One alert and the command that is to be run for it.
public struct Command: Sendable, Hashable {
  /// What happened.
  public var alert: Alert
  /// What to run.
  public var rule: CommandRule

  /// Makes the command of an alert.
  public init(alert: Alert, rule: CommandRule) {
    self.alert = alert
    self.rule = rule
  }

  /// What an alert has from its first raising until it is over.
  struct Episode: Sendable, Hashable {
    var rule: String
    var subject: String
    var direction: Alert.Direction
    var since: Timestamp
  }

  var episode: Episode { Episode(alert) }

  var isRepetition: Bool {
    if case .repeated = alert.state { true } else { false }
  }

  var isResolved: Bool {
    if case .resolved = alert.state { true } else { false }
  }
}

extension Command.Episode {
  init(_ alert: Alert) {
    self.init(rule: alert.rule, subject: alert.subject, direction: alert.direction, since: alert.since)
  }
}

/// How a command ended.
enum CommandOutcome: Sendable, Hashable {
  case succeeded
  case failed(status: Int32)
  case killed(signal: Int32)
  case timedOut
  /// There is no such program, or it may not be run.
  case notFound
  /// The system did not start it, and why.
  case notStarted(String)
  /// The service itself was cancelled.
  case abandoned
}
