import SystemPackage
package import SystemRuntime

/// The open directory below which logs are looked for.
public final class LogRoot: Sendable {
  /// Where it is, without a slash at the end.
  public let path: String
  let folder: Folder

  /// Opens it; it may be a link. Errors: `noRoot`.
  public init(_ path: String) throws(LogDirectoryError) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
    do throws(Errno) { folder = try Folder(path) } catch { throw .noRoot(path: path, error) }
  }

  /// Opens a directory that was found below it, without following a link on the way.
  ///
  /// Errors: `vanished`, `unreadable`, and `replaced` where another one is there.
  package func open(_ directory: LogDirectory) throws(LogDirectoryError) -> Folder {
    let path = directory.path
    do throws(Errno) {
      let found =
        directory.isRoot ? try folder.reopened() : try parent(of: directory).folder(name(of: directory))
      guard try found.facts().identity == directory.identity else { throw LogRoot.replacement }
      return found
    } catch { throw Self.failure(error, path) }
  }

  /// Opens the directory above one that was found.
  func openParent(of directory: LogDirectory) throws(LogDirectoryError) -> Folder {
    do throws(Errno) { return try parent(of: directory) } catch {
      throw Self.failure(error, directory.parent)
    }
  }

  private func parent(of directory: LogDirectory) throws(Errno) -> Folder {
    guard directory.parent.hasPrefix(path) else { throw .invalidArgument }
    var current = folder
    for component in directory.parent.dropFirst(path.count).split(separator: "/") {
      guard let name = FileName(String(component)) else { throw .invalidArgument }
      current = try current.folder(name)
    }
    return current
  }

  private func name(of directory: LogDirectory) throws(Errno) -> FileName {
    guard let name = FileName(directory.name) else { throw .invalidArgument }
    return name
  }

  /// What stands for another directory of the same name (ESTALE).
  private static let replacement = Errno(rawValue: 116)

  private static func failure(_ errno: Errno, _ path: String) -> LogDirectoryError {
    switch errno {
    case .noSuchFileOrDirectory: .vanished(path: path)
    case replacement, .notDirectory, .tooManySymbolicLinkLevels: .replaced(path: path)
    default: .unreadable(path: path, errno)
    }
  }
}
