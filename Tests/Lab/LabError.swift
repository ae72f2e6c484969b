/// Why a test's laboratory does not do what the test wants.
public enum LabError: Error, CustomStringConvertible {
  /// This machine lacks what the test needs, and it may not be skipped.
  case missing(String)
  /// A command did not succeed.
  case failed(command: String, status: String, output: String)
  /// A program could not be started.
  case notStarted(command: String, errno: Int32)
  /// What was waited for did not come; `state` is what there was instead.
  case deadline(waitingFor: String, state: String)
  /// Text that is not what it should be.
  case malformed(String)

  /// One sentence, with the program's own words where there are any.
  public var description: String {
    switch self {
    case .missing(let what): "this machine lacks \(what); see Tests/known-skips.txt"
    case .failed(let command, let status, let output): "`\(command)` ended with \(status): \(output)"
    case .notStarted(let command, let errno): "`\(command)` could not be started: errno \(errno)"
    case .deadline(let awaited, let state): "waited in vain for \(awaited); instead: \(state)"
    case .malformed(let text): "not understood: \(text)"
    }
  }
}
