import SystemPackage
import SystemRuntime

/// A directory of logs that is about to be removed: it was looked through, and it is what it was found as.
///
/// No link is followed and no other file system entered. The mark goes last: what a killed run leaves is removed by the next one,
/// and never sent again.
public struct DirectoryRemoval {
  /// What became of it.
  public struct Outcome: Sendable, Hashable {
    /// What is free now on the disk: allocated blocks of files that had no other name.
    public var freedBytes: Int64 = 0
    /// Why something is left; nil when all is gone.
    public var failure: LogDirectoryError?
  }

  /// What it takes on the disk: allocated blocks (stat(2)'s st_blocks of 512 bytes) of files that have no other name.
  public let bytes: Int64
  /// Why no lock keeps tstat_send away from it; nil where one does.
  public let missingLock: LogDirectoryError?

  private let directory: LogDirectory
  private let parent: Folder
  private let folder: Folder
  private let lock: DirectoryLock?

  /// Looks through a directory and takes its lock.
  ///
  /// Errors: `inUse` where tstat_send works in it, `vanished`, `replaced`, `changed`, `unreadable`, `mountPoint`, `tooDeep`, `holdsLogs`; and
  /// `changed` for the root itself, which is never removed.
  public init(of directory: LogDirectory, in root: LogRoot) throws(LogDirectoryError) {
    let path = directory.path
    guard !directory.isRoot else { throw .changed(path: path) }
    self.directory = directory
    folder = try root.open(directory)
    parent = try root.openParent(of: directory)
    var missingLock: LogDirectoryError?
    do throws(LogDirectoryError) { lock = try DirectoryLock(folder, path, "tstat_send") } catch {
      guard case .noLocks = error else { throw error }
      lock = nil
      missingLock = error
    }
    self.missingLock = missingLock
    do throws(Errno) {
      guard try directory.refreshed(folder)?.isReady(as: directory) == true else {
        throw .resourceTemporarilyUnavailable
      }
    } catch {
      throw error == .resourceTemporarilyUnavailable ? .changed(path: path) : .unreadable(path: path, error)
    }
    bytes = try DirectoryTree(folder, path).bytes(isAlone: true)
  }

  /// What a directory takes on the disk, as `bytes` counts it. Errors: as for `init(of:in:)`.
  public static func bytes(of directory: LogDirectory, in root: LogRoot) throws(LogDirectoryError) -> Int64 {
    try DirectoryTree(try root.open(directory), directory.path).bytes(isAlone: false)
  }

  /// Removes it.
  public func remove() -> Outcome {
    let tree = DirectoryTree(folder, directory.path)
    var outcome = Outcome()
    do throws(LogDirectoryError) {
      let mark = FileName(stringLiteral: LogDirectory.mark)
      try tree.empty(sparing: mark, freed: &outcome.freedBytes)
      try tree.remove(mark, freed: &outcome.freedBytes)
      guard let name = FileName(directory.name) else { throw .replaced(path: directory.path) }
      try tree.removeItself(name, from: parent, freed: &outcome.freedBytes)
    } catch { outcome.failure = error }
    return outcome
  }
}

extension LogDirectory {
  /// Whether what `other` was planned for is still true of this one.
  fileprivate func isReady(as other: LogDirectory) -> Bool {
    isProcessed && processedAt == other.processedAt && !hasProgress && tcp == other.tcp && udp == other.udp
  }
}
