/// A `key=value` of a section.
public struct INIEntry: Sendable, Hashable {
  /// The key as it is written; keys are compared without case.
  public let key: String
  /// The value without the white space around it; the lines of a continued value are joined by a newline.
  public let value: String
  /// The line of the key, from 1.
  public let line: Int

  /// Makes an entry.
  public init(key: String, value: String, line: Int) {
    self.key = key
    self.value = value
    self.line = line
  }

  /// What decides whether two keys are the same.
  var folded: String { key.lowercased() }
}

/// A `[name]` of a file with its entries.
public struct INISection: Sendable, Hashable {
  /// The name between the brackets, without the white space around it; names are compared with case.
  public let name: String
  /// The file, as it was named when it was read.
  public let file: String
  /// The line of the header, from 1.
  public let line: Int
  /// The entries in the order of the file; after them those of `[DEFAULT]` that the section does not set itself.
  public let entries: [INIEntry]
  private let positions: [String: Int]

  /// Makes a section of entries that all have different keys.
  init(name: String, file: String, line: Int, entries: [INIEntry]) {
    self.name = name
    self.file = file
    self.line = line
    self.entries = entries
    var positions: [String: Int] = [:]
    for (position, entry) in entries.enumerated() { positions[entry.folded] = position }
    self.positions = positions
  }

  /// The entry of `key`, written in any case.
  public func entry(_ key: String) -> INIEntry? {
    positions[key.lowercased()].map { entries[$0] }
  }

  /// An error that points to the line of `entry`.
  public func error(at entry: INIEntry, _ what: String) -> INIError {
    INIError(file: file, line: entry.line, what: what)
  }

  /// An error that points to the section's header.
  public func error(_ what: String) -> INIError {
    INIError(file: file, line: line, what: what)
  }

  /// An error that points to the line of `key`, or to the section's header where it has none.
  public func error(atKey key: String, _ what: String) -> INIError {
    entry(key).map { error(at: $0, what) } ?? error(what)
  }

  /// Throws an error for the first key that is not in `known`, with the known key that it may be a slip of.
  public func checkKeys(known: [String]) throws(INIError) {
    let folded = Set(known.map { $0.lowercased() })
    for entry in entries where !folded.contains(entry.folded) {
      throw error(
        at: entry, "unknown key \(INIError.quoted(key: entry.key)) in [\(name)]" + hint(entry.key, known))
    }
  }

  private func hint(_ key: String, _ known: [String]) -> String {
    if let near = Spelling.nearest(to: key, in: known) { return " (did you mean \(near)?)" }
    // Readers of one section may share a key.
    var listed: Set<String> = []
    return "; the known keys are " + known.filter { listed.insert($0).inserted }.joined(separator: ", ")
  }
}

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

  /// A user's text in quotes for a message, cut where it is too long to read. Only its first line: in a further one, which only
  /// has spaces too many before it, may stand a password.
  public static func quoted(_ text: String) -> String {
    let limit = 60
    let line = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
    let short = line.prefix(limit + 1).count > limit ? line.prefix(limit - 3) : line
    return "\"\(short)\(short.count < text.count ? "..." : "")\""
  }

  /// A key in quotes. Only its first word: a divider may be missing before a password that has one.
  static func quoted(key: String) -> String {
    let word = key.prefix { !$0.isWhitespace }
    return "\"\(word.prefix(60))\(word.count < key.count ? " ..." : "")\""
  }
}
