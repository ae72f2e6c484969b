/// The name of one entry of a folder, in the kernel's own bytes: it may be no text.
package struct FileName: Sendable, Hashable {
  /// With the NUL at its end.
  let bytes: [CChar]

  /// The name as text; nil for what can be no entry's name: nothing, with a slash or NUL in it, or the folder itself or the one
  /// above it.
  package init?(_ text: String) {
    guard !text.isEmpty, text != ".", text != "..", !text.utf8.contains(0), !text.utf8.contains(0x2f) else {
      return nil
    }
    bytes = text.utf8.map { CChar(bitPattern: $0) } + [0]
  }

  init(bytes: [CChar]) { self.bytes = bytes }

  /// The name; nil when it is not UTF-8.
  package var text: String? {
    String(validating: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The name for a message: what is not UTF-8 becomes U+FFFD.
  package var shown: String {
    String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Whether the name ends in this.
  package func ends(with ending: StaticString) -> Bool {
    let ending = ending.description.utf8.map { CChar(bitPattern: $0) }
    return bytes.dropLast().suffix(ending.count).elementsEqual(ending)
  }
}

/// A name that a program knows beforehand.
extension FileName: ExpressibleByStringLiteral {
  package init(stringLiteral text: StaticString) {
    bytes = text.description.utf8.map { CChar(bitPattern: $0) } + [0]
  }
}
