import Model

/// Typed reads of a JSON object whose keys are known.
struct JSONObject {
  private let value: JSONValue
  private let name: String

  /// Takes an object, whose `name` is for messages. Throws for another kind of value and for keys that are not in `keys`;
  /// `"//"` may be there as often as it likes.
  init(_ value: JSONValue, _ name: String, keys: [String]) throws(JSONError) {
    guard case .object(let members) = value.content else {
      throw JSONError(line: value.line, what: "\(name) is not an object: write { }")
    }
    for member in members where !keys.contains(member.name) && member.name != "//" {
      let shown = member.name.escapingControlCharacters.shortened(to: 60)
      throw JSONError(
        line: member.line,
        what: "\(name) has an unknown key \"\(shown)\"; known keys: \(keys.joined(separator: ", "))")
    }
    self.value = value
    self.name = name
  }

  /// The line of a key's value, or of the object.
  func line(_ key: String) -> Int { value.member(key)?.line ?? value.line }

  func required(_ key: String) throws(JSONError) -> JSONValue {
    guard let value = value.member(key) else {
      throw JSONError(line: value.line, what: "\(name) has no \"\(key)\": add it")
    }
    return value
  }

  func requiredText(_ key: String) throws(JSONError) -> String {
    _ = try required(key)
    guard let text = try text(key), !text.isEmpty else { throw wrong(key, "a text that is not empty") }
    return text
  }

  /// The text of a key; nil where it is not set or null.
  func text(_ key: String) throws(JSONError) -> String? {
    guard let value = set(key) else { return nil }
    guard let text = value.string, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      throw wrong(key, "a text without control characters, in quotation marks")
    }
    return text
  }

  func boolean(_ key: String) throws(JSONError) -> Bool? {
    guard let value = set(key) else { return nil }
    guard case .boolean(let truth) = value.content else { throw wrong(key, "true or false") }
    return truth
  }

  func integer(_ key: String, in range: ClosedRange<Int>) throws(JSONError) -> Int? {
    guard let value = set(key) else { return nil }
    guard let number = value.integer, range.contains(number) else {
      throw wrong(key, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Seconds, with decimals or without; nil for 0.
  func seconds(_ key: String) throws(JSONError) -> Duration? {
    guard let value = set(key) else { return nil }
    guard case .number(let text) = value.content, let number = Double(text), (0...86_400).contains(number)
    else {
      throw wrong(key, "a number of seconds from 0 (none) to 86400")
    }
    return number == 0 ? nil : .milliseconds(max(1, Int64(number * 1000)))
  }

  private func set(_ key: String) -> JSONValue? {
    guard let value = value.member(key), value.content != .null else { return nil }
    return value
  }

  private func wrong(_ key: String, _ wanted: String) -> JSONError {
    JSONError(line: line(key), what: "\(name).\(key) must be \(wanted)")
  }
}
