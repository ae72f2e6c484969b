import Model
import Patterns

/// The application that a process belongs to, and why.
public struct RuleMatch: Sendable, Hashable, CustomStringConvertible {
  /// A rule, by its place.
  public struct Source: Sendable, Hashable {
    /// The file of the rule.
    public let file: String
    /// Its line.
    public let line: Int
    /// Its key.
    public let label: String
    /// Its expression, with what it is searched in: `unit:^nginx`.
    public let pattern: String
  }

  /// What decided.
  public enum Reason: Sendable, Hashable {
    /// A rule that matches the own command line, unit or container.
    case rule(Source)
    /// A rule that matches the command line of an ancestor.
    case inherited(Source, ancestor: String)
    /// The program or script that runs.
    case program
    /// Nothing: it is an application of its own.
    case nobody
  }

  /// The application.
  public let application: String
  /// What decided.
  public let reason: Reason
  /// How many searches were given up on the way.
  public let abandonedSearches: Int
  /// How many rules could not be asked because the unit and container are not known.
  public internal(set) var unasked = 0

  /// One line for a terminal: `Web: group.cfg:12: http=nginx|httpd`.
  public var description: String {
    let name = application.escapingControlCharacters
    var remarks =
      abandonedSearches == 0 ? "" : " (searches given up: \(abandonedSearches); simplify the rules above it)"
    if unasked > 0 {
      remarks += " (rules before it for units and containers, which a command line does not tell: \(unasked))"
    }
    switch reason {
    case .rule(let source): return "\(name): \(source)" + remarks
    case .inherited(let source, let ancestor):
      return "\(name): \(source) (by its ancestor \(ancestor.escapingControlCharacters))" + remarks
    case .program: return "\(name): no rule matches it, it is grouped by its program" + remarks
    case .nobody:
      return "\(name): no rule matches it, it stands for itself; add a section for it to --app-config"
        + remarks
    }
  }
}

extension RuleMatch.Source: CustomStringConvertible {
  init(_ rule: ApplicationRules.Rule) {
    self.init(
      file: rule.file, line: rule.line, label: rule.label,
      pattern: rule.subject.rawValue + rule.pattern.source)
  }

  /// `file:line: shortname=expression`.
  public var description: String {
    "\(file):\(line): \(label.escapingControlCharacters)=\(pattern.escapingControlCharacters)"
  }
}
