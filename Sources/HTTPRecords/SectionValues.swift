import INI

/// The values of a section, with an error that says what is wanted.
struct SectionValues {
  let section: INISection

  /// The value of `key`; nil where it is not set, an error where `read` has none for it.
  func value<Value>(
    _ key: String, as read: (String) -> Value?, wanted: () -> String
  ) throws(INIError) -> Value? {
    guard let entry = section.entry(key) else { return nil }
    let text = entry.value
    guard let value = read(text) else {
      let shown = text.isEmpty ? "is empty: it" : "=\(INIError.quoted(text))"
      throw section.error(at: entry, "\(entry.key)\(text.isEmpty ? " " : "")\(shown) must be \(wanted())")
    }
    return value
  }

  /// The same, for a value that no error shows.
  func secret<Value>(
    _ key: String, as read: (String) -> Value?, wanted: () -> String
  ) throws(INIError) -> Value? {
    guard let entry = section.entry(key) else { return nil }
    guard let value = read(entry.value) else {
      throw section.error(at: entry, "\(entry.key) must be \(wanted())")
    }
    return value
  }

  /// The value of `key`, which must be set.
  func required<Value>(
    _ key: String, isShown: Bool = true, as read: (String) -> Value?, wanted: () -> String
  ) throws(INIError) -> Value {
    _ = try section.required(key)
    let value = isShown ? try value(key, as: read, wanted: wanted) : try secret(key, as: read, wanted: wanted)
    guard let value else {
      throw section.error("[\(section.name)] needs \(key): add a line \(key)=...")
    }
    return value
  }
}

/// A user and a password as HTTP sends them (RFC 7617): base 64 (RFC 4648, section 4).
enum BasicCredentials {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

  static func encoded(_ bytes: [UInt8]) -> String {
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      bits <<= UInt32(8 * (3 - group.count))
      for place in 0..<4 {
        text.append(place > group.count ? "=" : digits[Int(bits >> UInt32(18 - 6 * place)) & 63])
      }
    }
    return text
  }
}
