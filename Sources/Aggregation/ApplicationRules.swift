import INI
import Model
import Patterns

/// Assigns each process to the first application that has a matching rule. A rule matches the command line, the name of
/// the systemd unit or that of the container.
public struct ApplicationRules: Sendable {
  /// A `shortname=expression`, `shortname=unit:expression` or `shortname=container:expression` of an application.
  public struct Rule: Sendable {
    /// What an expression is searched in; its value stands before the expression, but for the command line.
    public enum Subject: String, Sendable, CaseIterable {
      /// All arguments joined by spaces.
      case commandLine = ""
      /// The name of the systemd unit, `nginx.service`.
      case unit = "unit:"
      /// The identifier's first twelve digits, or the name, of the container.
      case container = "container:"
    }

    /// The application: the section's name, as it is written.
    public let name: String
    /// The key, a label for people.
    public let label: String
    /// What the expression is searched in.
    public let subject: Subject
    /// What is searched for.
    public let pattern: Pattern
    /// The file of the rule.
    public let file: String
    /// Its line.
    public let line: Int
  }

  /// The rules in the order of the file.
  public let rules: [Rule]
  /// What is understood and most likely not meant so.
  public let warnings: [INIWarning]
  /// Whether what no rule matches is grouped by program.
  public let autoGroup: Bool
  /// Whether a process that no rule matches belongs to its nearest ancestor that one matches.
  public let inherit: Bool

  /// Rules without any rule of the user.
  public init(autoGroup: Bool = false, inherit: Bool = false) {
    rules = []
    warnings = []
    self.autoGroup = autoGroup
    self.inherit = inherit
  }

  /// Reads a file in which every section is an application and every key of it a rule.
  ///
  /// Throws an error for an expression that is wrong or empty, and one of several lines.
  public init(_ file: INIFile, autoGroup: Bool, inherit: Bool) throws(INIError) {
    var rules: [Rule] = []
    var warnings: [INIWarning] = []
    for section in file.sections {
      for entry in section.entries { rules.append(try Rule(entry, of: section)) }
      warnings += section.warningsOfExpressions()
      if section.entries.isEmpty {
        warnings.append(
          INIWarning(
            file: section.file, line: section.line,
            what: "[\(section.name)] has no rule, so nothing belongs to it: add a line shortname=REGEX"))
      }
    }
    self.rules = rules
    self.warnings = warnings
    self.autoGroup = autoGroup
    self.inherit = inherit
  }
}

extension ApplicationRules.Rule {
  /// Compiles an entry; an error with its line where its expression is empty, wrong or of several lines.
  init(_ entry: INIEntry, of section: INISection) throws(INIError) {
    subject =
      Subject.allCases.first { $0 != .commandLine && entry.value.hasPrefix($0.rawValue) } ?? .commandLine
    _ = try section.singleLine(entry.key)
    pattern = try Pattern(entry, of: section, after: subject.rawValue)
    name = section.name
    label = entry.key
    file = section.file
    line = entry.line
  }
}

extension Pattern {
  /// Compiles the value of `key`, nil where it is not set; an error with its line where it is empty, wrong or of
  /// several lines.
  init?(_ key: String, of section: INISection) throws(INIError) {
    guard let entry = try section.singleLine(key) else { return nil }
    try self.init(entry, of: section)
  }

  /// Compiles the value of an entry, without the word `prefix` that it begins with and spaces behind it; an error
  /// with its line where it is empty or wrong.
  init(_ entry: INIEntry, of section: INISection, after prefix: String = "") throws(INIError) {
    let expression =
      prefix.isEmpty ? entry.value : String(entry.value.dropFirst(prefix.count).drop { $0 == " " })
    guard !expression.isEmpty else {
      throw section.error(
        at: entry, "\(entry.key) has no regular expression: write .* if it is meant for everything")
    }
    do {
      try self.init(expression)
    } catch {
      throw section.error(at: entry, "\(entry.key): \(error); correct it")
    }
  }
}
