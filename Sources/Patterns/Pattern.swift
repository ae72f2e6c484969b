/// A user's regular expression: compiled once, searched safely by any number of threads.
///
/// Perl's syntax (pcre2pattern(3)) over Unicode characters; where Python's `re` has the same construct it
/// means the same. Searching stops after a bounded number of steps, whatever the expression and the text.
public struct Pattern: Sendable {
  /// The longest expression that is compiled, in bytes.
  public static let maximumLength = 64 << 10

  /// The expression as it was given.
  public let source: String
  private let code: CompiledPattern

  /// Compiles an expression; throws what is wrong with it, and where.
  public init(_ source: String) throws(PatternError) {
    guard source.utf8.count <= Self.maximumLength else {
      throw PatternError(
        message: "it is longer than \(Self.maximumLength) bytes, shorten it", offset: source.count)
    }
    self.source = source
    code = try CompiledPattern(source)
  }

  /// Says whether the expression matches anywhere in `text`, as Python's `re.search` does.
  public func search(_ text: String) -> SearchResult { code.search(text) }
}

/// How a search ended.
public enum SearchResult: Sendable, Hashable {
  /// The pattern occurs in the text.
  case found
  /// It does not.
  case notFound
  /// Nobody knows: the search took too many steps and was given up.
  case gaveUp
}

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
