import Model

/// Writes one JSON text (RFC 8259) without white space, key by key.
///
/// The caller keeps the shape (a key before each value of an object); the writer sets commas, closes what it
/// opens and escapes, so that the text is always valid.
package struct JSONWriter {
  /// UTF-8: appending bytes costs a fraction of appending text.
  private var bytes: [UInt8] = []
  private var needsComma = false

  /// Takes `text` over, without copying it, and starts one after it that will have about `capacity` bytes.
  package init(after text: inout [UInt8], capacity: Int) {
    swap(&bytes, &text)
    bytes.reserveCapacity(bytes.count + capacity)
  }

  /// `text` as a JSON string.
  static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    appendQuoted(text, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends `text` as a JSON string.
  static func appendQuoted(_ text: String, to bytes: inout [UInt8]) {
    var writer = JSONWriter(after: &bytes, capacity: text.utf8.count + 2)
    writer.quote(text)
    swap(&writer.bytes, &bytes)
  }

  /// How many bytes there are so far, with those before the text.
  var count: Int { bytes.count }

  /// Ends the text by a line feed and gives all of it back.
  package mutating func endLine(into text: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\n"))
    swap(&bytes, &text)
  }

  /// What stands after the first `start` bytes.
  func text(from start: Int) -> [UInt8] { Array(bytes[start...]) }

  /// Writes again what another writer wrote at the same place: a value with the comma before it.
  mutating func `repeat`(_ text: [UInt8]) {
    bytes += text
    needsComma = true
  }

  package mutating func object(_ body: (inout JSONWriter) -> Void) {
    enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
  }

  package mutating func array(_ body: (inout JSONWriter) -> Void) {
    enclose(UInt8(ascii: "["), UInt8(ascii: "]"), body)
  }

  /// `name` is one of ours, with nothing to escape.
  package mutating func key(_ name: String) {
    separate()
    append(UInt8(ascii: "\""))
    append(name)
    append(UInt8(ascii: "\""))
    append(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func string(_ value: String) { element { $0.quote(value) } }

  package mutating func integer(_ value: some BinaryInteger) {
    element {
      if value < 0 { $0.append(UInt8(ascii: "-")) }
      $0.append(digitsOf: UInt64(value.magnitude))
    }
  }

  package mutating func boolean(_ value: Bool) { element { $0.append(value ? "true" : "false") } }

  package mutating func null() { element { $0.append("null") } }

  /// A number with exactly `decimals` digits after the point; null for what JSON has no number for.
  package mutating func number(_ value: Double, decimals: Int) {
    // Most rates are zero.
    if value == 0, decimals == 1 { return element { $0.append("0.0") } }
    element { value.isFinite ? value.appendFixed(decimals, to: &$0.bytes) : $0.append("null") }
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

  private mutating func append(digitsOf value: UInt64) {
    if value >= 10 { append(digitsOf: value / 10) }
    append(UInt8(ascii: "0") + UInt8(value % 10))
  }

  /// Escapes what JSON demands and all that can drive a terminal or break a line in any language: the Unicode
  /// categories Cc, Cf (bidirectional controls), Zl and Zp. The value a parser reads is the original.
  private mutating func quote(_ value: String) {
    append(UInt8(ascii: "\""))
    if Self.isPlain(value.utf8.span) {
      append(value)
    } else {
      for scalar in value.unicodeScalars { append(scalar) }
    }
    append(UInt8(ascii: "\""))
  }

  /// True for text that stays as it is.
  private static func isPlain(_ text: Span<UInt8>) -> Bool {
    for index in text.indices
    where !(0x20..<0x7f).contains(text[index]) || text[index] == 0x22 || text[index] == 0x5c {
      return false
    }
    return true
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
