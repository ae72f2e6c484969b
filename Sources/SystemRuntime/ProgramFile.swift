import Glibc
import SystemPackage

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
  /// PATH of this process by default.
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

  /// The path of the program that this process runs; nil where the kernel does not report it.
  public static var own: String? {
    var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
    do throws(Errno) {
      let count = try OpenFile("/proc/self", isFolder: true).readLink("exe", into: &path)
      return String(decoding: path[..<count], as: UTF8.self)
    } catch { return nil }
  }

  /// Goes on as the program at `path`, with `arguments`, the first of which is its name. Returns only if that fails.
  public static func become(_ path: String, _ arguments: [String]) -> KernelError {
    var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    // In bounds: a list of C strings that ends with nil.
    unsafe execv(path, &words)
    let error = Errno.last
    unsafe words.forEach { unsafe free($0) }
    return .failed("running \(path)", error)
  }

  private static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

  /// What is at `path`.
  public static func presence(of path: String) -> Presence {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return .missing }
    guard status.st_mode & S_IFMT == S_IFREG, unsafe access(path, X_OK) == 0 else { return .notExecutable }
    return .executable
  }
}
