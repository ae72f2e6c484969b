import Model

/// What a command gets of a notification, within what the kernel takes: facts as environment variables, verbatim and
/// never as a part of its text, and the line for its standard input.
struct CommandEnvironment: Sendable, Hashable {
  /// The variables to add to the program's own. A NUL character, which no variable can hold, becomes U+FFFD.
  let variables: [String: String]
  /// The line, with its line feed.
  let input: String

  /// The most bytes of a value: the kernel takes 128 KiB a variable (execve(2), MAX_ARG_STRLEN).
  static let valueLimit = 32_768
  /// The most bytes of the input: what the smallest pipe takes without a reader (pipe(7)).
  static let inputLimit = 4096

  /// Makes what a command gets of `notification`.
  init(_ notification: Notification) {
    variables = Dictionary(
      notification.facts.map { ($0.name, Self.text($0.value, atMost: Self.valueLimit)) }
    ) { _, last in last }
    input = Self.text(notification.line, atMost: Self.inputLimit - 1) + "\n"
  }

  private static func text(_ value: String, atMost limit: Int) -> String {
    let fits = value.utf8.count <= limit
    if fits, !value.utf8.contains(0) { return value }
    var text = String.UnicodeScalarView()
    var size = 0
    for scalar in value.unicodeScalars {
      let shown = scalar == "\0" ? "\u{fffd}" : scalar
      size += UTF8.width(shown)
      if size > limit { break }
      text.append(shown)
    }
    return String(text)
  }
}
