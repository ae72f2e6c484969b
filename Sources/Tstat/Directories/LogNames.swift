import SystemPackage
import SystemRuntime

/// Which of the names that matter a directory has.
struct LogNames: Hashable {
  private static let logs: [(name: FileName, kind: LogFile.Kind, isCompressed: Bool)] = [
    ("log_tcp_complete", .tcp, false), ("log_tcp_complete.gz", .tcp, true),
    ("log_udp_complete", .udp, false), ("log_udp_complete.gz", .udp, true),
  ]

  /// Those of `logs`, by place.
  private var present = [false, false, false, false]
  private(set) var hasMark = false
  private(set) var hasProgress = false

  /// All of them, for who has not listed the directory.
  static var all: LogNames {
    var names = LogNames()
    names.present = [true, true, true, true]
    (names.hasMark, names.hasProgress) = (true, true)
    return names
  }

  /// Whether the directory has neither a log nor a mark.
  var isEmpty: Bool { !hasMark && !present.contains(true) }

  /// Whether this is the name of a log.
  func isLog(_ name: FileName) -> Bool { Self.logs.contains { $0.name == name } }

  /// Notes a name; returns whether it matters.
  mutating func note(_ name: FileName) -> Bool {
    if let index = Self.logs.firstIndex(where: { $0.name == name }) {
      present[index] = true
    } else if name == FileName(stringLiteral: LogDirectory.mark) {
      hasMark = true
    } else if name == FileName(stringLiteral: LogDirectory.progress) {
      hasProgress = true
    } else {
      return false
    }
    return true
  }

  /// Whether there is a log of this kind, or what has its name.
  func hasName(of kind: LogFile.Kind) -> Bool {
    zip(Self.logs, present).contains { $0.kind == kind && $1 }
  }

  /// Whether what has the name of such a log is still there, whatever it is.
  func isThere(_ kind: LogFile.Kind, in folder: Folder) -> Bool {
    Self.logs.contains { $0.kind == kind && (try? folder.facts(of: $0.name)) != nil }
  }

  /// Whether there is a compressed log of this kind.
  func hasCompressed(_ kind: LogFile.Kind) -> Bool { present[kind == .tcp ? 1 : 3] }

  /// The log of this kind; the plain one where there are both. Files that are gone by now, and what is no plain file, are none.
  func log(_ kind: LogFile.Kind, in folder: Folder) throws(Errno) -> LogFile? {
    for (index, log) in Self.logs.enumerated() where log.kind == kind && present[index] {
      guard let facts = try Self.plainFile(log.name, in: folder) else { continue }
      return LogFile(
        kind: kind, isCompressed: log.isCompressed, size: facts.size, modified: facts.modified,
        inode: facts.identity.inode)
    }
    return nil
  }

  /// What is known of a plain file; nil for what is none.
  static func plainFile(_ name: FileName, in folder: Folder) throws(Errno) -> FileFacts? {
    do throws(Errno) {
      let facts = try folder.facts(of: name)
      return facts.kind == .plain ? facts : nil
    } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw error
    }
  }
}

extension LogDirectory {
  /// Reads what is known of an open directory; nil where it has gone while it was looked at.
  init?(
    reading folder: Folder, _ parent: String, _ name: String, _ names: LogNames, isRoot: Bool
  ) throws(Errno) {
    let facts = try folder.facts()
    // A directory without a name is removed already.
    guard facts.links > 0 else { return nil }
    self.init(
      parent: parent, name: name, identity: facts.identity, tcp: try names.log(.tcp, in: folder),
      udp: try names.log(.udp, in: folder), modified: facts.modified, born: facts.born, isRoot: isRoot)
    if names.hasMark {
      processedAt = try LogNames.plainFile(FileName(stringLiteral: Self.mark), in: folder)?.modified
    }
    let progress = names.hasProgress ? try Self.change(of: Self.progress, in: folder) : nil
    // A run that was killed after it had set the mark leaves the state behind; a younger one is of work after the mark.
    hasProgress = progress.map { progress in processedAt.map { progress > $0 } ?? true } ?? false
    hasLeftProgress = progress != nil && !hasProgress
  }

  /// When a file was changed last, whatever it is; nil where there is none.
  private static func change(of name: StaticString, in folder: Folder) throws(Errno) -> FileTime? {
    do throws(Errno) { return try folder.facts(of: FileName(stringLiteral: name)).modified } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw error
    }
  }

  /// The same directory as it is now. Errors: those of statx(2).
  func refreshed(_ folder: Folder) throws(Errno) -> LogDirectory? {
    try LogDirectory(reading: folder, parent, name, .all, isRoot: isRoot)
  }
}
