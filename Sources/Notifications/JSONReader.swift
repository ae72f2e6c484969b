import Model

/// A value of a JSON text (RFC 8259), with the line that it stands in.
package struct JSONValue: Sendable, Hashable {
  /// A name and its value; names may be repeated.
  package struct Member: Sendable, Hashable {
    package var name: String
    package var line: Int
    package var value: JSONValue
  }

  /// What it is.
  package enum Content: Sendable, Hashable {
    case null
    case boolean(Bool)
    /// As it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])
  }

  package var content: Content
  package var line: Int

  /// The last member of that name, if this is an object that has one.
  package func member(_ name: String) -> JSONValue? {
    if case .object(let members) = content { members.last { $0.name == name }?.value } else { nil }
  }

  /// The text, if this is a string.
  package var string: String? { if case .string(let text) = content { text } else { nil } }

  /// The number, if this is a whole one.
  package var integer: Int? { if case .number(let text) = content { Int(text) } else { nil } }
}

/// Why a text is not JSON, or not what was wanted.
package struct JSONError: Error, Sendable, Hashable {
  /// The line of the text, from 1.
  package var line: Int
  /// What is wrong there, and what to do.
  package var what: String
}

/// Reads a JSON text strictly, within bounds of size and depth.
package struct JSONReader {
  /// The longest text.
  package static let mostBytes = 1 << 20
  private static let mostDepth = 16

  private let bytes: [UInt8]
  private var index = 0
  private var line = 1

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Returns the one value of the text.
  package static func value(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    guard bytes.count <= mostBytes else {
      throw JSONError(line: 1, what: "the text has more than \(mostBytes) bytes: shorten it")
    }
    var reader = JSONReader(bytes)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.index == bytes.count else { throw reader.error("something after the end: remove it") }
    return value
  }

  private func error(_ what: String) -> JSONError { JSONError(line: line, what: what) }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || (0x09...0x0a).contains(byte) || byte == 0x0d {
      if byte == 0x0a { line += 1 }
      index += 1
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < Self.mostDepth else { throw error("more than \(Self.mostDepth) levels: write it flatter") }
    skipSpace()
    let start = line
    let content: JSONValue.Content
    switch next {
    case UInt8(ascii: "{"): content = .object(try members(depth: depth))
    case UInt8(ascii: "["): content = .array(try elements(depth: depth))
    case UInt8(ascii: "\""): content = .string(try string())
    case UInt8(ascii: "t"): content = try word("true", .boolean(true))
    case UInt8(ascii: "f"): content = try word("false", .boolean(false))
    case UInt8(ascii: "n"): content = try word("null", .null)
    case UInt8(ascii: "-"), .some(0x30...0x39): content = .number(try number())
    default: throw wrong("a value is expected here: write a \"text\", a number, true, false, { or [")
    }
    return JSONValue(content: content, line: start)
  }

  /// The error `what`; where the text ends here, that it ends too early.
  private func wrong(_ what: String) -> JSONError {
    error(next == nil ? "the text ends too early: complete it" : what)
  }

  private mutating func members(depth: Int) throws(JSONError) -> [JSONValue.Member] {
    index += 1
    var members: [JSONValue.Member] = []
    skipSpace()
    if take("}") { return members }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else {
        throw wrong("a \"name\" is expected here: add it, or remove a comma")
      }
      let start = line
      let name = try string()
      skipSpace()
      guard take(":") else {
        throw wrong(
          "a colon is expected after \"\(name.escapingControlCharacters.shortened(to: 40))\": add it")
      }
      members.append(JSONValue.Member(name: name, line: start, value: try value(depth: depth + 1)))
      skipSpace()
      if take("}") { return members }
      guard take(",") else { throw wrong("a comma or } is expected here: add it") }
    }
  }

  private mutating func elements(depth: Int) throws(JSONError) -> [JSONValue] {
    index += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return elements }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return elements }
      guard take(",") else { throw wrong("a comma or ] is expected here: add it") }
    }
  }

  private mutating func word(_ word: String, _ content: JSONValue.Content) throws(JSONError)
    -> JSONValue.Content
  {
    guard bytes[index...].starts(with: word.utf8) else {
      if word.utf8.starts(with: bytes[index...]) { index = bytes.endIndex }
      throw wrong("an unknown word: write true, false, null, or a text in quotation marks")
    }
    index += word.utf8.count
    return content
  }

  private mutating func number() throws(JSONError) -> String {
    let start = index
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits()
    }
    return String(decoding: bytes[start..<index], as: UTF8.self)
  }

  private mutating func digits() throws(JSONError) {
    let start = index
    while let byte = next, (0x30...0x39).contains(byte) { index += 1 }
    if index == start { throw wrong("a digit is expected here: correct the number") }
  }

  private mutating func string() throws(JSONError) -> String {
    index += 1
    var text: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("a text is not UTF-8: save the file as UTF-8")
        }
        return string
      case UInt8(ascii: "\\"):
        index += 1
        text += Array(String(try escaped()).utf8)
      case 0..<0x20:
        throw error("a control character in a text: write it as an escape, or close the quotation marks")
      default:
        text.append(byte)
        index += 1
      }
    }
    throw unclosed
  }

  private var unclosed: JSONError { error("a string is not closed and the text ends too early: complete it") }

  private mutating func escaped() throws(JSONError) -> Unicode.Scalar {
    guard let byte = next else { throw unclosed }
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let first = try unit()
      if let scalar = Unicode.Scalar(first) { return scalar }
      // The second half of a character beyond U+FFFF.
      guard (0xd800..<0xdc00).contains(first), take("\\"), take("u") else {
        throw next == nil ? unclosed : halfCharacter
      }
      let second = try unit()
      guard (0xdc00..<0xe000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xd800) << 10 + (UInt32(second) - 0xdc00))
      else { throw halfCharacter }
      return scalar
    default: throw error("an unknown escape: write \\\\ for a backslash")
    }
  }

  private var halfCharacter: JSONError {
    error("half a character as \\u escape: write both halves, or the character")
  }

  private mutating func unit() throws(JSONError) -> UInt16 {
    let digits = bytes[index..<min(index + 4, bytes.count)]
    if digits.count < 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) { throw unclosed }
    guard digits.count == 4, !digits.contains(UInt8(ascii: "+")), !digits.contains(UInt8(ascii: "-")),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits are expected after \\u: correct them") }
    index += 4
    return unit
  }
}
