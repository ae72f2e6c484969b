public import SystemRuntime

/// A log of tstat that records each connection when it is over: plain or compressed.
public struct LogFile: Sendable, Hashable {
  /// What it has rows of.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// `log_tcp_complete`.
    case tcp
    /// `log_udp_complete`.
    case udp

    /// The name without compression.
    public var plainName: String { "log_\(rawValue)_complete" }
  }

  /// What it has rows of.
  public var kind: Kind
  /// Whether it is a gzip file (tstat -Z).
  public var isCompressed: Bool
  /// Its length in bytes.
  public var size: Int64
  /// When its content was last changed.
  public var modified: FileTime
  /// Its inode, by which it is distinguished from a later file of the same name.
  public var inode: UInt64

  /// Makes one.
  public init(kind: Kind, isCompressed: Bool = false, size: Int64, modified: FileTime, inode: UInt64) {
    self.kind = kind
    self.isCompressed = isCompressed
    self.size = size
    self.modified = modified
    self.inode = inode
  }

  /// Its name in the directory.
  public var name: String { isCompressed ? "\(kind.plainName).gz" : kind.plainName }
}

/// A directory into which tstat has written logs for an hour: its name ends in `.out`.
public struct LogDirectory: Sendable, Hashable {
  /// What the name of each ends in.
  static let ending: StaticString = ".out"
  /// The file that says that all of it was sent.
  static let mark: StaticString = ".processed"
  /// The file that says how much of it was sent.
  static let progress: StaticString = ".tstat_send"

  /// The path of the directory above it, as the user's path for the root begins it.
  public var parent: String
  /// The last component of the path.
  public var name: String
  /// Which directory it is; another one of the same name has another.
  public var identity: FileIdentity
  /// The log of TCP connections.
  public var tcp: LogFile?
  /// The log of UDP flows.
  public var udp: LogFile?
  /// When entries of it were last made or removed.
  public var modified: FileTime
  /// When it was made; nil where the file system does not keep that.
  public var born: FileTime?
  /// When it was marked as sent; nil while it is not.
  public var processedAt: FileTime?
  /// Whether a part of it was sent: there is a state file.
  public var hasProgress: Bool
  /// Whether a state file is left that the mark has made useless: a run was killed between the two.
  public var hasLeftProgress = false
  /// Whether it is the root itself.
  public var isRoot: Bool

  /// Makes one.
  public init(
    parent: String, name: String, identity: FileIdentity, tcp: LogFile? = nil, udp: LogFile? = nil,
    modified: FileTime, born: FileTime? = nil, processedAt: FileTime? = nil, hasProgress: Bool = false,
    isRoot: Bool = false
  ) {
    self.parent = parent
    self.name = name
    self.identity = identity
    self.tcp = tcp
    self.udp = udp
    self.modified = modified
    self.born = born
    self.processedAt = processedAt
    self.hasProgress = hasProgress
    self.isRoot = isRoot
  }

  /// Where it is.
  public var path: String { Self.path(of: name, in: parent) }

  /// Where it is below the root; its name where it is the root.
  public func path(below root: LogRoot) -> String {
    isRoot || !path.hasPrefix(root.path + "/") ? name : String(path.dropFirst(root.path.count + 1))
  }

  /// Whether it was marked as sent. The mark counts whatever is in it: it may have been made by hand.
  public var isProcessed: Bool { processedAt != nil }

  /// Its logs, TCP before UDP.
  public var logs: [LogFile] { [tcp, udp].compactMap(\.self) }

  /// When a log of it was last changed; nil without logs.
  public var lastChange: FileTime? { logs.map(\.modified).max() }

  /// Whether it comes first in time: by name, and of one name by path.
  public static func isEarlier(_ one: LogDirectory, than other: LogDirectory) -> Bool {
    one.name == other.name ? one.parent < other.parent : one.name < other.name
  }

  static func path(of name: String, in parent: String) -> String {
    parent.hasSuffix("/") ? parent + name : "\(parent)/\(name)"
  }
}
