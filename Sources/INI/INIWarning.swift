/// What is understood in a configuration file and most likely not meant so, and where.
public struct INIWarning: Sendable, Hashable, CustomStringConvertible {
  /// The file, as it was named when it was read.
  public let file: String
  /// The line, from 1.
  public let line: Int
  /// What is not as it should be and what to do, without the place.
  public let what: String

  /// Makes a warning.
  public init(file: String, line: Int, what: String) {
    self.file = file
    self.line = line
    self.what = what
  }

  /// `file:line: what`.
  public var description: String { "\(file):\(line): \(what)" }
}

extension INISection {
  /// Warnings for the regular expressions of `keys`, or of all entries for nil. One that has ` #` in it, or begins with
  /// `#`, most likely ends with a comment, which the grammar does not have behind a value.
  public func warningsOfExpressions(in keys: [String]? = nil) -> [INIWarning] {
    let expressions = keys.map { $0.compactMap(entry) } ?? entries
    return expressions.filter { Self.hasComment($0.value) }.map { entry in
      INIWarning(
        file: file, line: entry.line,
        what:
          "the # belongs to the regular expression of \(entry.key): write a comment in a line of its own, or [#]"
          + " if # is searched for")
    }
  }

  private static func hasComment(_ value: String) -> Bool {
    value.hasPrefix("#")
      || zip(value.unicodeScalars, value.unicodeScalars.dropFirst())
        .contains { $0.properties.isWhitespace && $1 == "#" }
  }
}
