public import INI

/// The command that a rule runs for what it has to report.
public struct CommandRule: Sendable, Hashable {
  /// The section of the configuration that it comes from; notifications name it.
  public var rule: String
  /// The program and its arguments; no shell reads them.
  public var words: [String]
  /// True to run the command also for the end of an episode.
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

extension CommandRule {
  /// The keys of a section that are read here.
  public static let keys = ["notification_command", "on_resolve", "command_timeout"]

  /// Reads a section of the notification configuration; nil where `notification_command` is not set or is empty, which
  /// is how a section does without the command of `[DEFAULT]`.
  ///
  /// `notification_command` is divided into words as a shell would, but no shell runs: `$`, `|`, `>` and `*` are plain
  /// characters. `on_resolve` (no) runs the command also for the end of an episode, `command_timeout` (30) is in seconds.
  /// Throws an error that names the line for values that cannot be read.
  public init?(_ section: INISection) throws(INIError) {
    let onResolve = try section.boolean("on_resolve") ?? false
    let timeout = try section.seconds("command_timeout", in: .milliseconds(1)...Self.longestTimeout)
    guard let words = try section.words("notification_command"), let program = words.first else { return nil }
    guard !program.isEmpty else {
      let what = "notification_command has an empty word for the program: write its name or path first"
      throw section.error(atKey: "notification_command", what)
    }
    self.init(
      rule: section.name, words: words, runsOnResolve: onResolve, timeout: timeout ?? Self.defaultTimeout)
  }
}
