/// The command that a rule runs when it is crossed.
public struct CommandRule: Sendable, Hashable {
  /// The section of the configuration that it comes from; alerts name it.
  public var rule: String
  /// The program and its arguments; no shell reads them.
  public var words: [String]
  /// True to run the command also when the alert is over.
  public var runsOnResolve: Bool
  /// How long the command may take before it is killed with all that it started; at most a day.
  public let timeout: Duration

  /// How long a command may take unless the configuration says otherwise.
  public static let defaultTimeout = Duration.seconds(30)

  /// The longest that a command may be given.
  public static let longestTimeout = Duration.seconds(86_400)

  /// Makes a rule that runs `words`.
  public init(
    rule: String, words: [String], runsOnResolve: Bool = false, timeout: Duration = Self.defaultTimeout
  ) {
    self.rule = rule
    self.words = words
    self.runsOnResolve = runsOnResolve
    self.timeout = min(max(timeout, .zero), Self.longestTimeout)
  }
}
