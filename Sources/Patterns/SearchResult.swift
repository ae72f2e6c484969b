/// How a search ended.
public enum SearchResult: Sendable, Hashable {
  /// The pattern occurs in the text.
  case found
  /// It does not.
  case notFound
  /// Nobody knows: the search took too many steps and was given up.
  case gaveUp
}
