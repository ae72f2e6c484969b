/// What the INI readers of the predecessors do not agree on.
public struct INIDialect: Sendable, Hashable {
  /// What a key or section that stands a second time does.
  public enum Repetition: Sendable, Hashable {
    /// The last key counts, two sections are one; a warning names both lines.
    case merges
    /// It is an error.
    case isWrong
  }

  /// A `;` with white space before it ends a value.
  public let semicolonEndsValue: Bool
  /// A line that begins with the word `rem` is a comment.
  public let hasRemComments: Bool
  /// A comment may be indented below a value without becoming a part of it.
  public let hasIndentedComments: Bool
  /// An empty line between two lines of a value is a part of it.
  public let keepsEmptyLines: Bool
  /// The value `""` is empty.
  public let hasQuotedEmptyValue: Bool
  /// What a key or section that stands a second time does.
  public let repetition: Repetition
  /// What was replaced in a value by the predecessor and is not here: each with why, for a warning.
  let literals: [Literal]

  /// A text that other readers of the same file replace.
  struct Literal: Sendable, Hashable {
    var text: String
    var was: String
  }

  private static let reference = Literal(text: "%(", was: "the value of another key")

  /// bwmon's files: those of Python 2's ConfigParser.
  public static let bwmon = INIDialect(
    semicolonEndsValue: true, hasRemComments: true, hasIndentedComments: false, keepsEmptyLines: false,
    hasQuotedEmptyValue: true, repetition: .merges, literals: [reference])

  /// tstat_transport's files: those of Python 3's configparser, with values taken as they are.
  public static let tstat = INIDialect(
    semicolonEndsValue: false, hasRemComments: false, hasIndentedComments: true, keepsEmptyLines: true,
    hasQuotedEmptyValue: false, repetition: .isWrong,
    literals: [reference, Literal(text: "%%", was: "a single %")])
}
