/// Takes the lines of a file one by one and collects its sections.
struct INIParser {
  private struct Open {
    var name: String
    var line: Int
    var entries: [INIEntry] = []
    var lineOfKey: [String: Int] = [:]
  }

  /// A key whose value may go on in the next line.
  private struct Pending {
    var key: String
    var line: Int
    var values: [String]
  }

  private static let inherited = "DEFAULT"

  private let file: String
  private var sections: [Open] = []
  private var lineOfSection: [String: Int] = [:]
  private var pending: Pending?
  /// How far the last header or key is indented: what is indented deeper continues it.
  private var indentation = 0

  init(file: String) { self.file = file }

  /// Takes the next line, without its end.
  mutating func read(_ line: String, number: Int) throws(INIError) {
    let scalars = line.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }) else {
      // An empty line is part of a value only if more of the value follows.
      pending?.values.append("")
      return
    }
    if scalars[first] == "#" || scalars[first] == ";" { return }
    let indent = scalars.distance(from: scalars.startIndex, to: first)
    let content = Substring(scalars[first...]).trimmed
    if pending != nil, indent > indentation {
      pending?.values.append(String(content))
      return
    }
    closeEntry()
    indentation = indent
    if scalars[first] == "[" {
      try openSection(content, number)
    } else {
      try openEntry(content, number)
    }
  }

  /// Returns the sections once all lines were read.
  mutating func finish() -> [INISection] {
    closeEntry()
    let defaults = sections.first { $0.name == Self.inherited }?.entries ?? []
    return sections.filter { $0.name != Self.inherited }.map { section in
      let missing = defaults.filter { section.lineOfKey[$0.folded] == nil }
      return INISection(
        name: section.name, file: file, line: section.line, entries: section.entries + missing)
    }
  }

  private mutating func openSection(_ content: Substring, _ number: Int) throws(INIError) {
    guard let close = content.unicodeScalars.lastIndex(of: "]") else {
      throw error(number, "the section's ] is missing: write [name]")
    }
    let inner = content.unicodeScalars[content.unicodeScalars.index(after: content.startIndex)..<close]
    let name = String(Substring(inner).trimmed)
    let rest = Substring(content.unicodeScalars[content.unicodeScalars.index(after: close)...]).trimmed
    guard !name.isEmpty else { throw error(number, "the section has no name: write [name]") }
    guard rest.isEmpty || rest.hasPrefix("#") || rest.hasPrefix(";") else {
      throw error(number, "there is text after [\(name)]: move it to a line of its own")
    }
    if let earlier = lineOfSection[name] {
      throw error(number, "section [\(name)] is already in line \(earlier): join the two or rename one")
    }
    lineOfSection[name] = number
    sections.append(Open(name: name, line: number))
  }

  private mutating func openEntry(_ content: Substring, _ number: Int) throws(INIError) {
    guard !sections.isEmpty else {
      throw error(number, "there is no section yet: write a [section] line above this one")
    }
    guard let divider = content.unicodeScalars.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
      throw error(
        number, "\(INIError.quoted(String(content))) is not key=value: add the = or start the line with #")
    }
    let key = String(Substring(content.unicodeScalars[..<divider]).trimmed)
    guard !key.isEmpty else { throw error(number, "the key before the = is missing: write key=value") }
    let folded = key.lowercased()
    if let earlier = sections[sections.count - 1].lineOfKey[folded] {
      throw error(number, "key \(INIError.quoted(key)) is already in line \(earlier): remove one of the two")
    }
    sections[sections.count - 1].lineOfKey[folded] = number
    let value = Substring(content.unicodeScalars[content.unicodeScalars.index(after: divider)...]).trimmed
    pending = Pending(key: key, line: number, values: [String(value)])
  }

  private mutating func closeEntry() {
    guard let entry = pending else { return }
    pending = nil
    let value = String(entry.values.joined(separator: "\n")[...].trimmedEnd)
    sections[sections.count - 1].entries.append(INIEntry(key: entry.key, value: value, line: entry.line))
  }

  private func error(_ line: Int, _ what: String) -> INIError { INIError(file: file, line: line, what: what) }
}

extension Substring {
  /// This text without the white space around it; a combining character never hides a space or divider.
  var trimmed: Substring { Substring(unicodeScalars.drop { $0.properties.isWhitespace }).trimmedEnd }

  /// This text without the white space after it.
  var trimmedEnd: Substring {
    let scalars = unicodeScalars
    guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return Substring(scalars[...last])
  }
}
