/// How an interpreter's arguments name the script that it runs.
struct Interpreter: Sendable {
  /// Letters of options whose value is the script or module (`python3 -m`).
  var naming: Set<Character> = []
  /// Letters of options that hold the program text itself: there is no script.
  var inline: Set<Character> = []
  /// Letters of options with a value, which is the rest of the word or else the next word.
  var valued: Set<Character> = []
  /// Letters of options with a value that is always the rest of the word.
  var attached: Set<Character> = []
  /// Options of whole words whose value, the next word, is the script.
  var namingWords: Set<String> = []
  /// Options of whole words that hold the program text.
  var inlineWords: Set<String> = []
  /// Options of whole words with a value in the next word.
  var valuedWords: Set<String> = []
  /// True where `-abc` may be `-a -b -c`.
  var groupsLetters = true

  /// The first argument that is a script, module or class; nil where there is none (`sh -c`, standard input).
  func script(in arguments: ArraySlice<String>) -> String? {
    var rest = arguments
    return takeScript(from: &rest)
  }

  /// The same, and leaves in `rest` what comes behind it.
  func takeScript(from rest: inout ArraySlice<String>) -> String? {
    while let argument = rest.popFirst() {
      if argument == "--" { return rest.popFirst() }
      if argument == "-" { return nil }
      guard let sign = argument.first, sign == "-" || sign == "+" else { return argument }
      if inlineWords.contains(argument) { return nil }
      if namingWords.contains(argument) { return rest.popFirst() }
      if valuedWords.contains(argument) {
        rest = rest.dropFirst()
      } else if groupsLetters, !argument.hasPrefix("--") {
        switch read(letters: argument.dropFirst(), &rest) {
        case .next: continue
        case .script(let name): return name
        }
      }
    }
    return nil
  }

  private enum Step {
    case next
    case script(String?)
  }

  private func read(letters: Substring, _ rest: inout ArraySlice<String>) -> Step {
    var letters = letters
    while let letter = letters.popFirst() {
      if inline.contains(letter) { return .script(nil) }
      if naming.contains(letter) { return .script(letters.isEmpty ? rest.popFirst() : String(letters)) }
      if attached.contains(letter) { return .next }
      guard valued.contains(letter) else { continue }
      if letters.isEmpty { rest = rest.dropFirst() }
      return .next
    }
    return .next
  }
}
