/// What is to be reported of a matter that begins, may go on and ends: to people by a line, to programs by facts.
///
/// Who delivers it needs to know nothing of what it is about.
public struct Notification: Sendable, Hashable {
  /// A name and its value, both as they are given to a program.
  public struct Fact: Sendable, Hashable {
    /// The name of the environment variable: `BWMON_RULE`.
    public var name: String
    /// The value; empty for what does not apply.
    public var value: String

    /// Makes a fact.
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// What the beginning, the repetitions and the end of one matter have in common, and no other matter has.
  public struct Episode: Sendable, Hashable {
    /// The section of the configuration that asks for it.
    public var rule: String
    /// What it is about.
    public var subject: String
    /// Which of the things that the rule watches of the subject.
    public var aspect: String
    /// When it began.
    public var since: Timestamp

    /// Makes the identity of a matter.
    public init(rule: String, subject: String, aspect: String, since: Timestamp) {
      self.rule = rule
      self.subject = subject
      self.aspect = aspect
      self.since = since
    }
  }

  /// Where in its episode a notification stands.
  public enum Stage: Sendable, Hashable {
    /// It is the first.
    case began
    /// The matter goes on, and is reported again.
    case goesOn
    /// It is the last.
    case ended(Ending)
    /// It is the only one: what it is about neither goes on nor ends.
    case single
  }

  /// Why an episode is over, as far as it matters to who delivers the end.
  public enum Ending: Sendable, Hashable {
    /// What the rule watches is no longer so.
    case over
    /// The rule itself is gone; one of its name is another rule.
    case ruleRemoved
  }

  /// Which matter it is about.
  public var episode: Episode
  /// Where in the matter it stands.
  public var stage: Stage
  /// All that is known, in the order of the manual; the names differ.
  public var facts: [Fact]
  /// The sentence for people, without a line feed; it has no control characters.
  public var line: String

  /// Makes a notification.
  public init(episode: Episode, stage: Stage, facts: [Fact], line: String) {
    self.episode = episode
    self.stage = stage
    self.facts = facts
    self.line = line
  }

  /// The section of the configuration that asks for it.
  public var rule: String { episode.rule }
}
