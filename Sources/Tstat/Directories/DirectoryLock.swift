import SystemPackage
import SystemRuntime

/// A directory that one process has for itself, as long as this object lives; the kernel lets go of it at the end of the
/// process, however that comes (flock(2)).
public final class DirectoryLock: Sendable {
  private let folder: Folder

  /// Takes the root for a run of `program`. Errors: `inUse` where another run has it, `noLocks` where the file system has none.
  public convenience init(_ root: LogRoot, for program: String) throws(LogDirectoryError) {
    try self.init(root.folder, root.path, program)
  }

  deinit { folder.unlock() }

  /// Takes an open directory. The lock is of a descriptor of its own, so that it ends with this object.
  init(_ folder: Folder, _ path: String, _ program: String) throws(LogDirectoryError) {
    do throws(Errno) {
      self.folder = try folder.reopened()
      try self.folder.lock()
    } catch {
      switch error {
      case .wouldBlock: throw .inUse(path: path, by: program)
      case .badFileDescriptor, .notSupported, .noLocks, .noFunction, .invalidArgument:
        throw .noLocks(path: path, error)
      case .noSuchFileOrDirectory: throw .vanished(path: path)
      default: throw .unreadable(path: path, error)
      }
    }
  }
}
