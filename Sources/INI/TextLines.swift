/// The lines of a configuration file, of whatever grammar.
public enum TextLines {
  /// The greatest file that is read, in bytes.
  public static let maximumSize = 1 << 20
  /// The longest line that is read, in bytes.
  public static let maximumLineLength = 64 << 10

  /// Calls `body` with each line of `bytes`, without its end, and its number from 1; `file` is only for messages.
  ///
  /// Lines end with `\n`, `\r\n` or `\r`, which Python all takes for ends of lines; a byte order mark is not part of the
  /// first. Throws an error for a file or a line that is too long, for a NUL byte and for text that is not UTF-8.
  public static func forEach(
    in bytes: some Collection<UInt8>, of file: String, _ body: (String, Int) throws(INIError) -> Void
  ) throws(INIError) {
    guard bytes.count <= maximumSize else {
      throw INIError(
        file: file, line: 1, what: "the file is longer than \(maximumSize) bytes: shorten or split it")
    }
    for (index, line) in lines(of: Array(bytes)).enumerated() {
      try body(text(of: line, number: index + 1, file: file), index + 1)
    }
  }

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
