import Model

/// Writes one JSON text (RFC 8259) without white space, key by key.
///
/// The caller keeps the shape (a key before each value of an object); the writer sets commas, closes what it
/// opens and escapes, so that the text is always valid.
struct JSONWriter {
  /// UTF-8: appending bytes costs a fraction of appending text.
  private var bytes: [UInt8] = []
  private var needsComma = false

  /// What was written so far.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  mutating func object(_ body: (inout JSONWriter) -> Void) {
    enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
  }

  mutating func array(_ body: (inout JSONWriter) -> Void) {
    enclose(UInt8(ascii: "["), UInt8(ascii: "]"), body)
  }

  mutating func key(_ name: String) {
    separate()
    quote(name)
    append(UInt8(ascii: ":"))
    needsComma = false
  }

  mutating func string(_ value: String) { element { $0.quote(value) } }

  mutating func integer(_ value: some BinaryInteger) { element { $0.append(String(value)) } }

  mutating func boolean(_ value: Bool) { element { $0.append(value ? "true" : "false") } }

  mutating func null() { element { $0.append("null") } }

  /// A number with exactly `decimals` digits after the point; null for what JSON has no number for.
  mutating func number(_ value: Double, decimals: Int) {
    element { $0.append(value.isFinite ? value.fixed(decimals) : "null") }
  }

  private mutating func enclose(_ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) -> Void) {
    separate()
    append(open)
    needsComma = false
    body(&self)
    append(close)
    needsComma = true
  }

  private mutating func element(_ write: (inout JSONWriter) -> Void) {
    separate()
    write(&self)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { append(UInt8(ascii: ",")) }
  }

  private mutating func append(_ byte: UInt8) { bytes.append(byte) }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// Escapes what JSON demands and all that can drive a terminal or break a line in any language: the Unicode
  /// categories Cc, Cf (bidirectional controls), Zl and Zp. The value a parser reads is the original.
  private mutating func quote(_ value: String) {
    append(UInt8(ascii: "\""))
    if value.utf8.allSatisfy({ (0x20..<0x7f).contains($0) && $0 != 0x22 && $0 != 0x5c }) {
      append(value)
    } else {
      for scalar in value.unicodeScalars { append(scalar) }
    }
    append(UInt8(ascii: "\""))
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"": append("\\\"")
    case "\\": append("\\\\")
    default:
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        for unit in scalar.utf16 {
          let digits = String(unit, radix: 16)
          append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
        }
      default: append(String(scalar))
      }
    }
  }
}
