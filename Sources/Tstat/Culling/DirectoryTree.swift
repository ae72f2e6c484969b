import SystemPackage
import SystemRuntime

/// All that lies in an open directory.
struct DirectoryTree {
  /// tstat makes one level.
  private static let mostLevels = 32
  /// So many names are kept in memory.
  private static let batch = 4096

  private let folder: Folder
  private let path: String

  /// Of an open directory; the path is for messages.
  init(_ folder: Folder, _ path: String) {
    self.folder = folder
    self.path = path
  }

  /// What it takes on the disk, its own blocks included. Errors: `mountPoint`, `tooDeep`, `unreadable`; with `isAlone`
  /// `holdsLogs` where another directory of logs lies within it.
  func bytes(isAlone: Bool, level: Int = 0) throws(LogDirectoryError) -> Int64 {
    let own = try facts(of: folder)
    guard !own.isMountRoot else { throw .mountPoint(path: path) }
    guard level < Self.mostLevels else { throw .tooDeep(path: path) }
    var sum = own.allocatedBytes
    for name in try names(atMost: .max) {
      guard let facts = try facts(of: name) else { continue }
      switch facts.kind {
      case .folder:
        let subtree = try subtree(name, facts, beside: own)
        if isAlone, name.ends(with: LogDirectory.ending) { try subtree.refuseLogs() }
        sum &+= try subtree.bytes(isAlone: isAlone, level: level + 1)
      case .plain, .link, .other: sum &+= facts.freeableBytes
      }
    }
    return sum
  }

  /// Removes all that is in it but for one name. Errors: `mountPoint`, `tooDeep`, `unreadable`, `notRemoved`, `replaced`.
  func empty(
    sparing spared: FileName? = nil, level: Int = 0, freed: inout Int64
  ) throws(LogDirectoryError) {
    let own = try facts(of: folder)
    guard !own.isMountRoot else { throw .mountPoint(path: path) }
    guard level < Self.mostLevels else { throw .tooDeep(path: path) }
    // Names are read again after each batch, as removing them moves the others.
    while case let names = try names(atMost: Self.batch, but: spared), !names.isEmpty {
      var isMoving = false
      for name in names {
        guard let facts = try facts(of: name) else { continue }
        isMoving = true
        if facts.kind == .folder {
          let subtree = try subtree(name, facts, beside: own)
          try subtree.empty(level: level + 1, freed: &freed)
          try subtree.removeItself(name, from: folder, freed: &freed)
        } else {
          try remove(name, freed: &freed)
        }
      }
      // Names of nothing: the directory will not be empty.
      guard isMoving else { return }
    }
  }

  /// Removes a file of it; none is as well.
  func remove(_ name: FileName, freed: inout Int64) throws(LogDirectoryError) {
    guard let facts = try facts(of: name) else { return }
    do throws(Errno) { try folder.remove(name) } catch { throw .notRemoved(path: path(of: name), error) }
    freed &+= facts.freeableBytes
  }

  /// Removes the directory, which is empty, from the one above it. Errors: `replaced` where the name is another's by now,
  /// `notRemoved`.
  func removeItself(_ name: FileName, from parent: Folder, freed: inout Int64) throws(LogDirectoryError) {
    do throws(Errno) {
      let own = try folder.facts()
      guard try parent.facts(of: name).identity == own.identity else { throw .noSuchFileOrDirectory }
      try parent.remove(name, isFolder: true)
      freed &+= own.allocatedBytes
    } catch {
      throw error == .noSuchFileOrDirectory ? .replaced(path: path) : .notRemoved(path: path, error)
    }
  }

  /// Errors: `holdsLogs` where this is a directory of logs.
  private func refuseLogs() throws(LogDirectoryError) {
    var found = LogNames()
    for name in try names(atMost: .max) { _ = found.note(name) }
    guard found.isEmpty else { throw .holdsLogs(path: path) }
  }

  /// Opens a directory in it that has these facts.
  private func subtree(
    _ name: FileName, _ facts: FileFacts, beside own: FileFacts
  ) throws(LogDirectoryError) -> DirectoryTree {
    let path = path(of: name)
    guard !facts.isMountRoot, facts.identity.device == own.identity.device else {
      throw .mountPoint(path: path)
    }
    do throws(Errno) {
      let subfolder = try folder.folder(name)
      guard try subfolder.facts().identity == facts.identity else { throw .noSuchFileOrDirectory }
      return DirectoryTree(subfolder, path)
    } catch {
      switch error {
      case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels: throw .replaced(path: path)
      default: throw .unreadable(path: path, error)
      }
    }
  }

  private func names(
    atMost limit: Int, but spared: FileName? = nil
  ) throws(LogDirectoryError) -> [FileName] {
    var names: [FileName] = []
    do throws(Errno) {
      try folder.forEachEntry { name, _ throws(Errno) in
        if name != spared { names.append(name) }
        return names.count < limit
      }
    } catch {
      // A directory that somebody has removed lists nothing.
      if error != .noSuchFileOrDirectory { throw .unreadable(path: path, error) }
    }
    return names
  }

  private func facts(of folder: Folder) throws(LogDirectoryError) -> FileFacts {
    do throws(Errno) { return try folder.facts() } catch { throw .unreadable(path: path, error) }
  }

  /// What is known of an entry; nil where it is gone.
  private func facts(of name: FileName) throws(LogDirectoryError) -> FileFacts? {
    do throws(Errno) { return try folder.facts(of: name) } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw .unreadable(path: path(of: name), error)
    }
  }

  private func path(of name: FileName) -> String { LogDirectory.path(of: name.shown, in: path) }
}

extension FileFacts {
  /// What becomes free with this name: nothing while the file has another.
  fileprivate var freeableBytes: Int64 { links > 1 ? 0 : allocatedBytes }
}
