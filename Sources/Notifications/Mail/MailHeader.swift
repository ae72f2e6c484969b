import Model

/// Header fields of a mail: in ASCII, folded, and never more than one field.
enum MailHeader {
  /// The most characters of a line, without its end (RFC 5322, 2.1.1).
  private static let width = 76
  /// The most Unicode scalars of a text that is passed in.
  private static let mostScalars = 1000

  /// The field `name` with a text of any characters: as it is where that is plain and short, else in encoded words
  /// (RFC 2047).
  static func text(_ name: String, _ value: String) -> String {
    let clean = cleaned(value)
    let isPlain = clean.utf8.allSatisfy { (0x20...0x7e).contains($0) } && !clean.contains("=?")
    if isPlain, let folded = folded(name, clean) { return folded }
    return "\(name): \(encodedWords(clean, afterName: name).joined(separator: "\r\n "))"
  }

  /// Addresses, a line each where they would be too long together.
  static func list(_ addresses: [String]) -> String {
    var (lines, line) = ([String](), "")
    for address in addresses {
      if line.isEmpty {
        line = address
      } else if line.utf8.count + address.utf8.count + 6 > width {
        lines.append(line + ",")
        line = address
      } else {
        line += ", " + address
      }
    }
    return (lines + [line]).joined(separator: "\r\n ")
  }

  /// The visible ASCII characters alone: for addresses and identifiers.
  static func plain(_ value: String) -> String {
    String(
      decoding: value.utf8.filter { (0x21...0x7e).contains($0) && $0 != 0x3c && $0 != 0x3e }, as: UTF8.self)
  }

  /// Without control characters, whatever their meaning: each is written as an escape.
  private static func cleaned(_ value: String) -> String {
    let escaped = value.escapingControlCharacters.shortened(to: mostScalars)
    // Spaces at an end would be lost on the way.
    let trimmed = escaped.drop { $0 == " " }
    return String(trimmed.reversed().drop { $0 == " " }.reversed())
  }

  /// Folds before single spaces; nil where a word is too long for a line, or where a fold could lose spaces.
  private static func folded(_ name: String, _ value: String) -> String? {
    let words = value.split(separator: " ", omittingEmptySubsequences: false)
    var (lines, line) = ([String](), "\(name):")
    for word in words {
      if line.utf8.count + 1 + word.utf8.count <= width {
        line += " " + word
      } else {
        guard !word.isEmpty, word.utf8.count + 1 <= width, !line.hasSuffix(" "), line != "\(name):" else {
          return nil
        }
        lines.append(line)
        line = " " + word
      }
    }
    return (lines + [line]).joined(separator: "\r\n")
  }

  /// Words of at most 75 characters, none of which divides a character.
  private static func encodedWords(_ value: String, afterName name: String) -> [String] {
    let (start, end) = ("=?utf-8?B?", "?=")
    var room = width - name.utf8.count - 2
    var words: [String] = []
    var bytes: [UInt8] = []
    func isTooLong(_ count: Int) -> Bool {
      start.utf8.count + (count + 2) / 3 * 4 + end.utf8.count > min(room, 75)
    }
    for scalar in value.unicodeScalars {
      let next = Array(String(scalar).utf8)
      if !bytes.isEmpty, isTooLong(bytes.count + next.count) {
        words.append(start + Base64.text(bytes) + end)
        (bytes, room) = ([], 75)
      }
      bytes += next
    }
    words.append(start + Base64.text(bytes) + end)
    return words
  }
}

/// Bytes as text (RFC 4648).
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func text(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let padded = Array(group) + [UInt8](repeating: 0, count: 3 - group.count)
      let number = padded.reduce(0) { $0 << 8 | Int($1) }
      for place in 0..<4 {
        text.append(place <= group.count ? alphabet[number >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
