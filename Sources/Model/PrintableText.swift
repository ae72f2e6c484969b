extension String {
  /// This text with every control character written as an escape, so that a stranger's process name cannot
  /// drive a terminal: `\n`, `\t`, `\r`, `\e` and `\u{..}` for all other characters of the Unicode categories
  /// Cc, Cf (bidirectional overrides), Zl and Zp. A backslash stays as it is.
  public var escapingControlCharacters: String {
    if utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return self }
    var text = ""
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
        text += Self.escape(scalar)
      default:
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// This text if it has at most `limit` Unicode scalars, else its first `limit - 3` and `...`.
  public func shortened(to limit: Int) -> String {
    if utf8.count <= limit || unicodeScalars.count <= limit { return self }
    return String(unicodeScalars.prefix(limit - 3)) + "..."
  }

  /// This text with spaces before it, so that it has at least `width` Unicode scalars, as printf(3)'s `%*s`.
  public func rightAligned(in width: Int) -> String {
    String(repeating: " ", count: max(0, width - unicodeScalars.count)) + self
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\t": "\\t"
    case "\r": "\\r"
    case "\u{1b}": "\\e"
    default: "\\u{\(String(scalar.value, radix: 16))}"
    }
  }
}
