/// A configuration file in the grammar of Python's ConfigParser, in one of its dialects.
///
/// `[section]`, `key=value` or `key: value` (the first `=` or `:` divides), lines that start with `#` or `;`
/// are comments, a line that is indented deeper than its key goes on with the value, `[DEFAULT]` holds what
/// all other sections inherit. Stricter than Python: a line that starts with `[` is always a section, and only a
/// comment may follow its `]`.
public struct INIFile: Sendable, Hashable {
  /// The file, as the caller names it.
  public let name: String
  /// The sections in the order of the file, without `[DEFAULT]`.
  public let sections: [INISection]
  /// What was read and is most likely not meant so, in the order of the lines.
  public let warnings: [INIWarning]

  /// Reads the text of a file; `name` is only for messages.
  ///
  /// Throws an error for a file or line that is too long, for text that is not UTF-8, and for the first line
  /// that is neither a section, an entry, a continuation nor a comment, or that repeats a section or key against the dialect.
  public init(name: String, bytes: some Collection<UInt8>, dialect: INIDialect = .bwmon) throws(INIError) {
    var parser = INIParser(file: name, dialect: dialect)
    try TextLines.forEach(in: bytes, of: name) { line, number throws(INIError) in
      try parser.read(line, number: number)
    }
    self.name = name
    (sections, warnings) = parser.finish()
  }
}
