public import Model

/// A line that connvitals and connmonitor write to standard error, to the byte.
public enum ConnvitalsMessage: Sendable, Hashable {
  /// An error: the name of its type in the original, such as `str`, `Exception` or `OSError`, and its text.
  case error(type: String, String)
  /// A warning.
  case warning(String)

  /// `EE: type: text -⇥ ctime` or `WW: text -⇥ ctime`, without a line feed; with `color` as on a terminal.
  public func line(at time: Timestamp, color: Bool) -> String {
    let (words, rgb) =
      switch self {
      case .error(let type, let text): ("EE: \(type): \(text.escapingControlCharacters)", "255;0;0")
      case .warning(let text): ("WW: \(text.escapingControlCharacters)", "238;216;78")
      }
    let line = "\(words) -\t \(time.ctime)"
    // ISO 8613-6's direct colour.
    return color ? "\u{1b}[38;2;\(rgb)m\(line) \u{1b}[m" : line
  }
}
