/// What is wrong with a configuration file, and where.
public struct INIError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file, as it was named when it was read.
  public let file: String
  /// The line, from 1.
  public let line: Int
  /// What is wrong and what to do, without the place.
  public let what: String

  /// Makes an error.
  public init(file: String, line: Int, what: String) {
    self.file = file
    self.line = line
    self.what = what
  }

  /// `file:line: what`.
  public var description: String { "\(file):\(line): \(what)" }

  /// A user's text in quotes for a message, cut where it is too long to read.
  static func quoted(_ text: String) -> String {
    let limit = 60
    let short = text.prefix(limit + 1).count > limit ? text.prefix(limit - 3) + "..." : text[...]
    return "\"\(short)\""
  }
}
