import SystemPackage
package import SystemRuntime

/// A directory of logs that is worked on. What is read and written goes to the directory that was found, also when another one
/// has its name by now.
public final class OpenLogDirectory: Sendable {
  private static let content = Array("processed".utf8)

  /// What it was found as.
  public let directory: LogDirectory
  private let folder: Folder

  /// Opens a directory that was found below `root`. Errors: `vanished`, `unreadable`, `replaced`.
  public init(_ directory: LogDirectory, in root: LogRoot) throws(LogDirectoryError) {
    self.directory = directory
    folder = try root.open(directory)
  }

  /// Its own name, however the root was named: that of where it is mounted may be another.
  public var name: String {
    let path = folder.realPath ?? directory.path
    return String(path.split(separator: "/").last ?? "/")
  }

  /// Throws `unwritable` where neither a state file nor a mark can be written.
  public func checkIsWritable() throws(LogDirectoryError) {
    do throws(Errno) { try folder.checkIsWritable() } catch {
      throw .unwritable(path: directory.path, error)
    }
  }

  /// Takes it for this run of `program`, as long as the result lives. Errors: `inUse`, `noLocks`.
  public func lock(for program: String) throws(LogDirectoryError) -> DirectoryLock {
    try DirectoryLock(folder, directory.path, program)
  }

  /// What is known of it now: its logs may have grown, and another run may have marked it. Errors: `vanished`, `unreadable`.
  public func refreshed() throws(LogDirectoryError) -> LogDirectory {
    do throws(Errno) {
      guard let now = try directory.refreshed(folder) else { throw .noSuchFileOrDirectory }
      return now
    } catch {
      throw error == .noSuchFileOrDirectory
        ? .vanished(path: directory.path) : .unreadable(path: directory.path, error)
    }
  }

  /// Opens a log of it for reading. Errors: `changed` where another file has its name by now; `vanished`, `unreadable`.
  package func open(_ log: LogFile) throws(LogDirectoryError) -> OpenFile {
    let path = LogDirectory.path(of: log.name, in: directory.path)
    do throws(Errno) {
      let file = try folder.file(log.name)
      guard try file.status().inode == log.inode else { throw .invalidArgument }
      return file
    } catch {
      switch error {
      case .noSuchFileOrDirectory: throw .vanished(path: path)
      case .invalidArgument, .tooManySymbolicLinkLevels: throw .changed(path: path)
      default: throw .unreadable(path: path, error)
      }
    }
  }

  /// How much of it need not be sent again. Errors: `unreadable` where there is a state file that cannot be read.
  public func progress(
    for fingerprint: SendProgress.Fingerprint
  ) throws(LogDirectoryError) -> SendProgress.Stored {
    do throws(Errno) {
      let bytes = try folder.read(LogDirectory.progress.description, limit: SendProgress.mostBytes)
      return SendProgress.stored(in: bytes, for: fingerprint)
    } catch {
      switch error {
      case .noSuchFileOrDirectory: return .acknowledged(0)
      case .invalidArgument, .tooManySymbolicLinkLevels: return .unusable(reason: "it is not a plain file")
      default: throw .unreadable(path: path(of: LogDirectory.progress), error)
      }
    }
  }

  /// Writes how much of it was sent; when it returns, that is on the disk. Errors: `unwritable`; then the file is as before.
  public func save(_ progress: SendProgress) throws(LogDirectoryError) {
    try write(Array(progress.text.utf8), to: LogDirectory.progress)
  }

  /// Marks it as sent, on the disk, and removes the state file. Call it only when all is acknowledged.
  ///
  /// Errors: `unwritable`. Where the mark is written but the state file stays, the path is that of the state file.
  public func markProcessed() throws(LogDirectoryError) {
    try write(Self.content, to: LogDirectory.mark)
    try removeProgress()
  }

  /// Removes the state file. Errors: `unwritable`.
  public func removeProgress() throws(LogDirectoryError) {
    do throws(Errno) {
      try folder.remove(FileName(stringLiteral: LogDirectory.progress))
      try folder.synchronize()
    } catch { throw .unwritable(path: path(of: LogDirectory.progress), error) }
  }

  private func write(_ bytes: [UInt8], to name: StaticString) throws(LogDirectoryError) {
    do throws(Errno) { try folder.write(bytes, to: FileName(stringLiteral: name)) } catch {
      // A directory that is removed takes no new files.
      throw error == .noSuchFileOrDirectory
        ? .vanished(path: directory.path) : .unwritable(path: path(of: name), error)
    }
  }

  private func path(of name: StaticString) -> String {
    LogDirectory.path(of: name.description, in: directory.path)
  }
}
