import Model

/// The text of a mail, in an encoding that every server takes.
struct MailBody: Sendable, Hashable {
  /// How the bytes stand for the text (RFC 2045, 6).
  enum Encoding: String, Sendable {
    /// Short lines of ASCII.
    case sevenBit = "7bit"
    /// Anything: what is not ASCII is `=XX`, long lines are divided.
    case quotedPrintable = "quoted-printable"
  }

  /// How the bytes stand for the text.
  let encoding: Encoding
  /// The lines, each with CRLF.
  let bytes: [UInt8]

  /// The longest line that is sent as it is, without its end (RFC 5322, 2.1.1).
  private static let longest = 998

  /// Takes a text whose lines end with LF, CRLF or CR. Other control characters than a tab are written as escapes.
  init(_ text: String) {
    let lines = Self.lines(text)
    // A server without 8BITMIME must not take 8-bit text, so that is never sent.
    let isPlain = lines.allSatisfy { $0.utf8.count <= Self.longest && $0.utf8.allSatisfy { $0 < 0x7f } }
    encoding = isPlain ? .sevenBit : .quotedPrintable
    bytes = lines.flatMap { (isPlain ? Array($0.utf8) : Self.quoted($0)) + [0x0d, 0x0a] }
  }

  private static func lines(_ text: String) -> [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var isAfterReturn = false
    for scalar in text.unicodeScalars {
      defer { isAfterReturn = scalar == "\r" }
      if scalar == "\n", isAfterReturn { continue }
      if scalar == "\n" || scalar == "\r" {
        lines.append(escaped(String(line)))
        line = String.UnicodeScalarView()
      } else {
        line.append(scalar)
      }
    }
    if !line.isEmpty { lines.append(escaped(String(line))) }
    return lines
  }

  private static func escaped(_ line: String) -> String {
    line.split(separator: "\t", omittingEmptySubsequences: false)
      .map { String($0).escapingControlCharacters }.joined(separator: "\t")
  }

  /// A line as quoted-printable (RFC 2045, 6.7): at most 76 characters, then `=` and another line.
  private static func quoted(_ line: String) -> [UInt8] {
    let bytes = Array(line.utf8)
    var (result, width) = ([UInt8](), 0)
    for (index, byte) in bytes.enumerated() {
      let isSpace = byte == 0x20 || byte == 0x09
      let isPlain = (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "=")
      let isKept = isPlain || isSpace && index + 1 < bytes.count
      let piece = isKept ? [byte] : escape(byte)
      if width + piece.count > 75 {
        result += Array("=\r\n".utf8)
        width = 0
      }
      result += piece
      width += piece.count
    }
    return result
  }

  private static func escape(_ byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
  }
}
