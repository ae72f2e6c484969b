import Glibc

/// A program as execvp(3) looks for it.
public enum ProgramFile {
  /// What is there under a name.
  public enum Presence: Sendable, Hashable {
    /// A file that this process may run.
    case executable
    /// A file that it may not run, or no regular file.
    case notExecutable
    /// Nothing.
    case missing
  }

  /// Looks for a program: a name with a slash is a path, another is searched in `path`, folders divided by colons, the
  /// PATH of this process unless told.
  public static func find(_ program: String, path: String? = nil) -> Presence {
    if program.isEmpty { return .missing }
    if program.contains("/") { return presence(of: program) }
    var isThere = false
    for folder in (path ?? Environment.value("PATH") ?? defaultPath).split(
      separator: ":", omittingEmptySubsequences: false)
    {
      switch presence(of: "\(folder.isEmpty ? "." : folder)/\(program)") {
      case .executable: return .executable
      case .notExecutable: isThere = true
      case .missing: continue
      }
    }
    return isThere ? .notExecutable : .missing
  }

  private static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

  private static func presence(of path: String) -> Presence {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return .missing }
    guard status.st_mode & S_IFMT == S_IFREG, unsafe access(path, X_OK) == 0 else { return .notExecutable }
    return .executable
  }
}
