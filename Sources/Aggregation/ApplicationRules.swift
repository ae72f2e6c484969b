import INI
import Model
import Patterns

/// What makes an application of processes: the first rule whose expression occurs in the command line.
public struct ApplicationRules: Sendable {
  /// The section of the file that holds the rules.
  public static let section = "Application"

  /// A `name=expression` of the file.
  public struct Rule: Sendable {
    /// The application, as it is written.
    public let name: String
    /// What its command lines contain.
    public let pattern: Pattern
    /// The file of the rule.
    public let file: String
    /// Its line.
    public let line: Int
  }

  /// The rules in the order of the file.
  public let rules: [Rule]
  /// Whether what no rule claims is grouped by program.
  public let autoGroup: Bool
  /// Whether a process that no rule claims belongs to its nearest ancestor that one claims.
  public let inherit: Bool

  /// Rules without any rule of the user.
  public init(autoGroup: Bool = false, inherit: Bool = false) {
    rules = []
    self.autoGroup = autoGroup
    self.inherit = inherit
  }

  /// Reads the rules of the `[Application]` section.
  ///
  /// Throws an error for another section, an expression that is wrong or empty, and one of several lines.
  public init(_ file: INIFile, autoGroup: Bool, inherit: Bool) throws(INIError) {
    var rules: [Rule] = []
    for section in file.sections {
      guard section.name == Self.section else {
        let hint =
          Spelling.nearest(to: section.name, in: [Self.section]) == nil
          ? "" : " (did you mean [Application]?)"
        throw section.error(
          "unknown section [\(section.name)]: this file has one section, [\(Self.section)], with lines NAME=REGEX"
            + hint)
      }
      for entry in section.entries {
        guard let pattern = try Pattern(entry.key, of: section) else { continue }
        rules.append(Rule(name: entry.key, pattern: pattern, file: section.file, line: entry.line))
      }
    }
    self.rules = rules
    self.autoGroup = autoGroup
    self.inherit = inherit
  }
}

extension Pattern {
  /// Compiles the value of `key`, nil where it is not set; an error with its line where it is empty, wrong or of
  /// several lines.
  init?(_ key: String, of section: INISection) throws(INIError) {
    guard let entry = try section.singleLine(key) else { return nil }
    guard !entry.value.isEmpty else {
      throw section.error(
        at: entry, "\(entry.key) has no regular expression: write .* if it is meant for everything")
    }
    do {
      try self.init(entry.value)
    } catch {
      throw section.error(at: entry, "\(entry.key): \(error); correct it")
    }
  }
}
