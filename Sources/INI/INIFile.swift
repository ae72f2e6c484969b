/// A configuration file in the grammar of Python's ConfigParser, in one of its dialects.
///
/// `[section]`, `key=value` or `key: value` (the first `=` or `:` divides), lines that start with `#` or `;`
/// are comments, a line that is indented deeper than its key goes on with the value, `[DEFAULT]` holds what
/// all other sections inherit. Stricter than Python: a line that starts with `[` is always a section, and only a
/// comment may follow its `]`.
public struct INIFile: Sendable, Hashable {
  /// The greatest file that is read, in bytes.
  public static let maximumSize = 1 << 20
  /// The longest line that is read, in bytes.
  public static let maximumLineLength = 64 << 10

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
    guard bytes.count <= Self.maximumSize else {
      throw INIError(
        file: name, line: 1, what: "the file is longer than \(Self.maximumSize) bytes: shorten or split it")
    }
    var parser = INIParser(file: name, dialect: dialect)
    for (index, line) in Self.lines(of: Array(bytes)).enumerated() {
      try parser.read(Self.text(of: line, number: index + 1, file: name), number: index + 1)
    }
    self.name = name
    (sections, warnings) = parser.finish()
  }

  /// The lines between `\n`, `\r\n` and `\r`, which Python all takes for ends of lines; a byte order mark is
  /// not part of the first.
  private static func lines(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    let newline = UInt8(ascii: "\n")
    let carriageReturn = UInt8(ascii: "\r")
    var lines: [ArraySlice<UInt8>] = []
    var start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    var index = start
    while index < bytes.count {
      defer { index += 1 }
      guard bytes[index] == newline || bytes[index] == carriageReturn else { continue }
      lines.append(bytes[start..<index])
      if bytes[index] == carriageReturn, index + 1 < bytes.count, bytes[index + 1] == newline { index += 1 }
      start = index + 1
    }
    lines.append(bytes[start...])
    return lines
  }

  private static func text(of line: ArraySlice<UInt8>, number: Int, file: String) throws(INIError) -> String {
    guard line.count <= maximumLineLength else {
      throw INIError(
        file: file, line: number, what: "the line is longer than \(maximumLineLength) bytes: shorten it")
    }
    guard !line.contains(0) else {
      throw INIError(
        file: file, line: number, what: "the line has a NUL byte: is this a text file? Remove the byte")
    }
    guard let text = String(validating: line, as: UTF8.self) else {
      throw INIError(file: file, line: number, what: "the line is not UTF-8: convert the file with iconv(1)")
    }
    return text
  }
}
