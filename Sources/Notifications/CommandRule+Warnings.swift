public import INI
import Model

extension CommandRule {
  /// What is there under the name or path of a program.
  public enum Presence: Sendable, Hashable {
    /// A file that this process may run.
    case executable
    /// A file that it may not run, or a folder.
    case notExecutable
    /// Nothing.
    case missing
  }

  /// Warnings for the command that `section` sets: its program is not there or may not be run, and words that only a
  /// shell understands. `find` looks for the program as a command is looked for when it is run.
  public func warnings(of section: INISection, find: (String) -> Presence) -> [INIWarning] {
    guard let entry = section.entry("notification_command"), let program = words.first else { return [] }
    var remarks: [String] = []
    let shown = "`\(program.escapingControlCharacters.shortened(to: 200))`"
    switch find(program) {
    case .executable: break
    case .notExecutable: remarks.append("\(shown) may not be run: make it executable with chmod +x")
    case .missing where program.hasPrefix("~"):
      remarks.append("\(shown) is not found, ~ is not replaced: write the full path")
    case .missing where program.contains("/"): remarks.append("\(shown) is not there: correct the path")
    case .missing: remarks.append("\(shown) is not found in PATH: install it or write the full path")
    }
    // A word that was quoted is meant as it is.
    let bare = Set(entry.value.split(whereSeparator: \.isWhitespace).map(String.init))
    if let word = words.dropFirst().first(where: { bare.contains($0) && Self.isForShell($0) }) {
      remarks.append(
        "no shell runs, so `\(word.escapingControlCharacters.shortened(to: 60))` is an argument like others: "
          + "write sh -c '...' or a script where a shell is needed")
    }
    return remarks.map {
      INIWarning(file: section.file, line: entry.line, what: "notification_command: \($0)")
    }
  }

  /// Whether a shell would take the word for more than an argument.
  private static func isForShell(_ word: String) -> Bool {
    if ["|", "||", "|&", "&", "&&", ";", "#", "~"].contains(word) || word.hasPrefix("~/") { return true }
    if word.hasPrefix("$(") || word.hasPrefix("${") || word.hasPrefix("`") { return true }
    if word.hasPrefix("$"), word.dropFirst().first?.isLetter == true { return true }
    // Also in the middle of a word: `date>file`, `a|b`.
    return word.contains { "|<>".contains($0) } || word.hasSuffix(";") || word.hasSuffix("&")
  }
}
