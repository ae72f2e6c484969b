public import Model
import SystemRuntime

/// What a program says to its administrator: on standard error, one line each, never in the reports.
public struct Diagnostics: Sendable {
  private let program: String

  /// Names the program at the start of each line.
  public init(program: String) { self.program = program }

  /// Says why the program cannot go on.
  public func error(_ error: some CustomStringConvertible) { write("error: \(error)") }

  /// Says what makes the numbers less than they could be.
  public func warning(_ text: String) { write("warning: \(text)") }

  /// Says what makes the numbers less than they could be or no longer does, or what is to be known.
  public func warning(_ warning: Warning) {
    if warning.isResolved { return note(warning.text) }
    write("\(warning.isNote ? "note" : "warning"): \(warning.text)")
  }

  /// Says what was changed or done.
  public func note(_ text: String) { write(text) }

  /// Says how many connections were cut at the end; nothing where none was.
  public func noteCut(_ connections: Int) {
    if connections > 0 { note("cut \(Self.open(connections))") }
  }

  /// Says for how many connections a drain waits; nothing where there is none.
  public func noteDraining(_ connections: Int, atMost limit: Duration) {
    guard connections > 0, limit > .zero else { return }
    let seconds = limit.inSeconds
    let time = seconds.fixed(seconds == seconds.rounded() ? 0 : 1)
    note(
      "waits up to \(time) s for the end of \(Self.open(connections)), and takes no new ones; another signal cuts them"
    )
  }

  private static func open(_ connections: Int) -> String {
    "\(connections) open connection\(connections == 1 ? "" : "s")"
  }

  /// Writes a line of its own form, such as an alert's.
  public func line(_ text: String) { StandardError.write(text.escapingControlCharacters + "\n") }

  private func write(_ text: String) { line("\(program): \(text)") }
}

/// The version of all programs.
public let bwmonRelease = "2.0.0"

/// What `--version` of every program says.
public let bwmonVersion = "bwmon \(bwmonRelease)"
