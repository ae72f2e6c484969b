public import SystemPackage
import SystemRuntime

/// The directories of logs below a root, in the order of time, and what was seen on the way that somebody should know.
public struct LogDirectories: Sendable {
  /// Something that was passed over.
  public struct Remark: Sendable, Hashable {
    /// Why it was passed over.
    public enum Reason: Sendable, Hashable {
      /// It cannot be opened or listed.
      case unreadable(Errno)
      /// It was gone before it could be opened.
      case vanished
      /// It lies deeper than directories are looked for.
      case tooDeep
      /// A symbolic link with the name of a directory of logs, or of a log: no link is followed.
      case link
      /// It has the name of a log, and is a directory, a FIFO or something else.
      case notPlain
      /// Its name is not UTF-8.
      case notText
      /// A compressed log beside the plain one, which is taken.
      case plainTaken
    }

    /// Where it is.
    public var path: String
    /// Why it was passed over.
    public var reason: Reason
  }

  /// How deep below the root directories are looked for, unless another depth is given.
  public static let standardDepth = 16
  /// How many remarks are kept; the rest are only counted.
  static let mostRemarks = 1000

  /// The directories, chronological by name; those of one name by path.
  public private(set) var found: [LogDirectory] = []
  /// What was passed over; the first thousand.
  public private(set) var remarks: [Remark] = []
  /// How many remarks had no room.
  public private(set) var remarksLeftOut = 0

  private let depth: Int
  private let includesMarked: Bool

  /// Looks below `root`, which counts itself where its name ends in `.out`.
  ///
  /// With `includesMarked` directories are found too that have no log but the mark of those that were sent. Errors:
  /// `noRoot` where the root cannot be listed; all else is a remark.
  public init(
    below root: LogRoot, includesMarked: Bool = false, depth: Int = standardDepth
  ) throws(LogDirectoryError) {
    self.depth = depth
    self.includesMarked = includesMarked
    do throws(Errno) {
      let place = Place(path: root.path)
      try visit(root.folder, place, below: 0)
    } catch { throw .noRoot(path: root.path, error) }
    found.sort(by: LogDirectory.isEarlier)
  }

  /// A directory on the way.
  private struct Place {
    var parent: String
    var name: String
    var path: String

    /// The root.
    init(path: String) {
      self.path = path
      let slash = path.lastIndex(of: "/")
      name = slash.map { String(path[path.index(after: $0)...]) } ?? path
      parent = slash.map { String(path[..<$0]) } ?? "."
      if slash == path.startIndex { parent = "/" }
    }

    init(name: String, in parent: String) {
      self.parent = parent
      self.name = name
      path = LogDirectory.path(of: name, in: parent)
    }
  }

  /// Takes the directory if it is one of logs, and visits those in it. Errors: it cannot be listed.
  private mutating func visit(_ folder: Folder, _ place: Place, below level: Int) throws(Errno) {
    var names = LogNames()
    let isOut = place.name.hasSuffix(LogDirectory.ending.description)
    try folder.forEachEntry { entry, hint throws(Errno) in
      switch hint {
      case .folder, .unknown:
        let isLog = isOut && names.note(entry)
        if hint == .folder || !isLog {
          enter(entry, isSure: hint == .folder, of: folder, place, below: level)
        }
      case .link where entry.ends(with: LogDirectory.ending) || (isOut && names.isLog(entry)):
        remark(LogDirectory.path(of: entry.shown, in: place.path), .link)
      case .file where isOut: _ = names.note(entry)
      case .link, .file: break
      }
      return true
    }
    guard isOut, !names.isEmpty else { return }
    try take(folder, place, names, isRoot: level == 0)
  }

  /// Visits a directory of another; `isSure` where it is known to be one.
  private mutating func enter(
    _ entry: FileName, isSure: Bool, of folder: Folder, _ place: Place, below level: Int
  ) {
    let shown = LogDirectory.path(of: entry.shown, in: place.path)
    do throws(Errno) {
      if !isSure {
        let kind = try folder.facts(of: entry).kind
        if kind == .link, entry.ends(with: LogDirectory.ending) { remark(shown, .link) }
        guard kind == .folder else { return }
      }
      guard let name = entry.text else { return remark(shown, .notText) }
      guard level < depth else { return remark(shown, .tooDeep) }
      try visit(try folder.folder(entry), Place(name: name, in: place.path), below: level + 1)
    } catch {
      switch error {
      case .noSuchFileOrDirectory: remark(shown, .vanished)
      // It has become a link or a file.
      case .notDirectory, .tooManySymbolicLinkLevels: remark(shown, .link)
      default: remark(shown, .unreadable(error))
      }
    }
  }

  private mutating func take(
    _ folder: Folder, _ place: Place, _ names: LogNames, isRoot: Bool
  ) throws(Errno) {
    guard let directory = try LogDirectory(reading: folder, place.parent, place.name, names, isRoot: isRoot)
    else { return }
    for kind in LogFile.Kind.allCases where names.hasName(of: kind) {
      guard !directory.logs.contains(where: { $0.kind == kind }) else { continue }
      let reason: Remark.Reason = names.isThere(kind, in: folder) ? .notPlain : .vanished
      remark(LogDirectory.path(of: kind.plainName, in: place.path), reason)
    }
    for log in directory.logs where !log.isCompressed && names.hasCompressed(log.kind) {
      remark(LogDirectory.path(of: "\(log.name).gz", in: place.path), .plainTaken)
    }
    if !directory.logs.isEmpty || (includesMarked && directory.isProcessed) { found.append(directory) }
  }

  private mutating func remark(_ path: String, _ reason: Remark.Reason) {
    if remarks.count < Self.mostRemarks {
      remarks.append(Remark(path: path, reason: reason))
    } else {
      remarksLeftOut += 1
    }
  }
}

extension LogDirectories.Remark: CustomStringConvertible {
  /// A sentence for an administrator.
  public var description: String {
    switch reason {
    case .unreadable(let errno):
      "\(path) is passed over: \(errno.description). Check its owner and permissions."
    case .vanished: "\(path) is passed over: it was removed meanwhile."
    case .tooDeep: "\(path) is passed over: it lies too deep. Name a directory nearer to it with --directory."
    case .link: "\(path) is passed over: links are not followed. Name what it leads to with --directory."
    case .notPlain: "\(path) is passed over: it is no plain file. Remove it, or rename it."
    case .notText: "\(path) is passed over: its name is not UTF-8. Rename it."
    case .plainTaken: "\(path) is passed over: the log is there without compression, too. Remove one of them."
    }
  }
}
