/// Takes the lines of a file one by one and collects its sections.
struct INIParser {
  private struct Open {
    var name: String
    var line: Int
    var entries: [INIEntry] = []
    var positions: [String: Int] = [:]
  }

  /// A key whose value may go on in the next line.
  private struct Pending {
    var key: String
    var line: Int
    var values: [String]
  }

  private static let inherited = "DEFAULT"

  private let file: String
  private let dialect: INIDialect
  private var sections: [Open] = []
  private var places: [String: Int] = [:]
  private var warnings: [INIWarning] = []
  /// The place in `sections` of what is read.
  private var current = 0
  private var pending: Pending?
  /// How far the last header or key is indented: what is indented deeper continues it.
  private var indentation = 0

  init(file: String, dialect: INIDialect) {
    self.file = file
    self.dialect = dialect
  }

  /// Takes the next line, without its end.
  mutating func read(_ line: String, number: Int) throws(INIError) {
    let scalars = line.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }) else {
      // An empty line is part of a value only if more of the value follows.
      if dialect.keepsEmptyLines { pending?.values.append("") }
      return
    }
    let indent = scalars.distance(from: scalars.startIndex, to: first)
    let content = Substring(scalars[first...]).trimmed
    let isComment = scalars[first] == "#" || scalars[first] == ";"
    if isComment, dialect.hasIndentedComments || pending == nil || indent <= indentation { return }
    if dialect.hasRemComments, indent == 0, Self.isRem(content) { return }
    if pending != nil, indent > indentation {
      if isComment {
        warn(
          number, "an indented line goes on with the value above, a comment too: begin it in the first column"
        )
      }
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

  private static func isRem(_ content: Substring) -> Bool {
    let word = content.unicodeScalars.prefix { !$0.properties.isWhitespace }
    return String(word).lowercased() == "rem"
  }

  /// Returns the sections and what to say of them once all lines were read.
  mutating func finish() -> (sections: [INISection], warnings: [INIWarning]) {
    closeEntry()
    let defaults = sections.first { $0.name == Self.inherited }?.entries ?? []
    let sections = sections.filter { $0.name != Self.inherited }.map { section in
      let missing = defaults.filter { section.positions[$0.folded] == nil }
      return INISection(
        name: section.name, file: file, line: section.line, entries: section.entries + missing)
    }
    return (sections, warnings.sorted { $0.line < $1.line })
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
    guard let place = places[name] else {
      current = sections.count
      places[name] = current
      return sections.append(Open(name: name, line: number))
    }
    current = place
    let earlier = sections[place].line
    guard dialect.repetition == .merges else {
      throw error(number, "section [\(name)] is already in line \(earlier): join the two or rename one")
    }
    warn(
      number,
      "section [\(name)] is already in line \(earlier): both are taken as one, join them or rename one")
  }

  private mutating func openEntry(_ content: Substring, _ number: Int) throws(INIError) {
    guard !sections.isEmpty else {
      throw error(number, "there is no section yet: write a [section] line above this one")
    }
    guard let divider = content.unicodeScalars.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
      // Its text is not shown: it may be a password.
      throw error(number, "the line is not key=value: add the = or start the line with #")
    }
    let key = String(Substring(content.unicodeScalars[..<divider]).trimmed)
    guard !key.isEmpty else { throw error(number, "the key before the = is missing: write key=value") }
    if let earlier = sections[current].positions[key.lowercased()].map({ sections[current].entries[$0].line })
    {
      guard dialect.repetition == .merges else {
        throw error(
          number, "key \(INIError.quoted(key: key)) is already in line \(earlier): remove one of the two")
      }
      warn(
        number,
        "key \(INIError.quoted(key: key)) is already in line \(earlier): this line counts, remove one of the two"
      )
    }
    let rest = Substring(content.unicodeScalars[content.unicodeScalars.index(after: divider)...])
    pending = Pending(key: key, line: number, values: [value(rest)])
  }

  /// The value of a key's own line; what is behind a semicolon in a further line is a part of the value.
  private func value(_ text: Substring) -> String {
    var text = text
    if dialect.semicolonEndsValue {
      let scalars = text.unicodeScalars
      let end = scalars.indices.first { index in
        scalars[index] == ";" && index > scalars.startIndex
          && scalars[scalars.index(before: index)].properties.isWhitespace
      }
      if let end { text = text[..<end] }
    }
    let value = text.trimmed
    return dialect.hasQuotedEmptyValue && value == "\"\"" ? "" : String(value)
  }

  private mutating func closeEntry() {
    guard let open = pending else { return }
    pending = nil
    let value = String(open.values.joined(separator: "\n")[...].trimmedEnd)
    let entry = INIEntry(key: open.key, value: value, line: open.line)
    for literal in dialect.literals where value.contains(literal.text) {
      warn(
        open.line,
        "\(literal.text) in the value of \(entry.key) is taken as it is written, not as \(literal.was) as the"
          + " original took it")
    }
    if let position = sections[current].positions[entry.folded] {
      sections[current].entries[position] = entry
    } else {
      sections[current].positions[entry.folded] = sections[current].entries.count
      sections[current].entries.append(entry)
    }
  }

  private mutating func warn(_ line: Int, _ what: String) {
    warnings.append(INIWarning(file: file, line: line, what: what))
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
