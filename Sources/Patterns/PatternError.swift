/// Why a regular expression cannot be used.
public struct PatternError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, as PCRE2 says it.
  public let message: String
  /// How many characters of the expression stand before the place where it was noticed.
  public let offset: Int

  /// Makes an error.
  init(message: String, offset: Int) {
    self.message = message
    self.offset = offset
  }

  /// A sentence without the expression itself, for a message that names the file and line.
  public var description: String {
    "the regular expression is wrong after \(offset) characters: \(message)"
  }
}
