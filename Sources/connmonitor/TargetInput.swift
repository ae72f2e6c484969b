import INI
import Model
import Output
import Probes
import SystemPackage
import SystemRuntime

/// Where the list of targets comes from.
struct TargetInput: Sendable {
  /// Why there is no list.
  enum Failure: Error {
    /// It cannot be read, or its hosts cannot be looked up.
    case unreadable(KernelError)
    /// It is wrong.
    case invalid(INIError)

    /// What the original says of it, as far as it has words.
    var message: ConnvitalsMessage {
      switch self {
      case .invalid(let error): .error(type: "OSError", "\(error)")
      case .unreadable(.unreadable(let path, let errno)):
        .error(
          type: Self.pythonName(errno.rawValue),
          "Couldn't read input file '[Errno \(errno.rawValue)] \(errno.description): '\(path)''")
      case .unreadable(let error): .error(type: "OSError", "\(error)")
      }
    }

    /// What Python calls an error (errno.h).
    private static func pythonName(_ number: CInt) -> String {
      switch number {
      case 2: "FileNotFoundError"
      case 13: "PermissionError"
      case 21: "IsADirectoryError"
      default: "OSError"
      }
    }
  }

  private let path: String?

  /// The file at `path`, or standard input.
  init(_ path: String?) { self.path = path }

  /// What it is called in messages.
  var name: String { path ?? "standard input" }

  /// True for what can be read again.
  var isFile: Bool { path != nil }

  /// Who types may take a day.
  private static let patience = Duration.seconds(86_400)

  /// Reads it; waits for what is typed or piped in.
  func read() throws(Failure) -> TargetList {
    let bytes: [UInt8]
    do throws(KernelError) {
      bytes =
        if let path {
          try WholeFile.read(path, limit: TextLines.maximumSize)
        } else {
          try WholeFile.readStandardInput(limit: TextLines.maximumSize, patience: Self.patience)
        }
    } catch { throw .unreadable(error) }
    do throws(INIError) { return try TargetList(name: name, bytes: bytes) } catch { throw .invalid(error) }
  }
}
