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
