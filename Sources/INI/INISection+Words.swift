extension INISection {
  /// The words of `key`, nil where it is not set, divided as Python's `shlex.split` does; for command lines
  /// that run without a shell.
  ///
  /// White space divides. Single quotes keep all as it is, double quotes all but `\"` and `\\`, and a
  /// backslash outside quotes keeps the next character; nothing is expanded. Throws an error where a quote
  /// or backslash is not finished.
  public func words(_ key: String) throws(INIError) -> [String]? {
    guard let entry = entry(key) else { return nil }
    var splitter = WordSplitter()
    for scalar in entry.value.unicodeScalars { splitter.read(scalar) }
    switch splitter.state {
    case .plain: return splitter.finish()
    case .single: throw error(at: entry, "\(key) has a ' without its partner: close it, or write \\'")
    case .double, .escapedInDouble:
      throw error(at: entry, "\(key) has a \" without its partner: close it, or write \\\"")
    case .escaped: throw error(at: entry, "\(key) ends with a backslash: remove it, or write \\\\")
    }
  }
}

/// Divides a text into words, a character at a time.
private struct WordSplitter {
  enum State { case plain, single, double, escaped, escapedInDouble }

  private(set) var state = State.plain
  private var words: [String] = []
  /// The word so far, nil between words: quotes may make an empty one.
  private var word: String?

  mutating func read(_ scalar: Unicode.Scalar) {
    switch (state, scalar) {
    case (.plain, " "), (.plain, "\t"), (.plain, "\r"), (.plain, "\n"): endWord()
    case (.plain, "'"): open(.single)
    case (.plain, "\""): open(.double)
    case (.plain, "\\"): open(.escaped)
    case (.single, "'"), (.double, "\""): state = .plain
    case (.double, "\\"): state = .escapedInDouble
    case (.escapedInDouble, _):
      if scalar != "\"" && scalar != "\\" { append("\\") }
      append(scalar)
      state = .double
    case (.escaped, _):
      append(scalar)
      state = .plain
    case (.plain, _), (.single, _), (.double, _): append(scalar)
    }
  }

  mutating func finish() -> [String] {
    endWord()
    return words
  }

  private mutating func open(_ next: State) {
    state = next
    word = word ?? ""
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    word = word ?? ""
    word?.unicodeScalars.append(scalar)
  }

  private mutating func endWord() {
    if let word { words.append(word) }
    word = nil
  }
}
