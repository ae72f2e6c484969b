import CLinux
import Glibc
import Model

/// A moment of the wall clock as a file system keeps it; moments beyond the years 1677 and 2262 are cut to these.
public struct FileTime: Sendable, Hashable, Comparable {
  /// Since 1970-01-01T00:00:00Z.
  public var nanoseconds: Int64

  /// Makes a moment of nanoseconds since 1970.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Makes a moment of seconds since 1970, and nanoseconds into the second.
  public init(seconds: Int64, nanoseconds: Int64 = 0) {
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = whole.addingReportingOverflow(nanoseconds)
    self.nanoseconds = overflow || carry ? (seconds < 0 ? .min : .max) : sum
  }

  /// The time now.
  public static func now() -> FileTime { FileTime(nanoseconds: WallClock.nanoseconds) }

  /// How long after `other` this is; negative when it is before.
  public func since(_ other: FileTime) -> Duration {
    .nanoseconds(nanoseconds) - .nanoseconds(other.nanoseconds)
  }

  /// The earlier one is less.
  public static func < (left: FileTime, right: FileTime) -> Bool { left.nanoseconds < right.nanoseconds }
}

/// Which file it is, on this host and while it lives: the number of its file system and that of its inode.
public struct FileIdentity: Sendable, Hashable {
  /// The file system (stat(2)'s st_dev).
  public var device: UInt64
  /// The inode.
  public var inode: UInt64

  /// Makes an identity.
  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

/// What statx(2) reports of a file that matters here.
package struct FileFacts: Sendable {
  package enum Kind: Sendable { case plain, folder, link, other }

  package var kind: Kind
  package var identity: FileIdentity
  package var size: Int64
  /// What it takes on the disk: allocated blocks, not the length.
  package var allocatedBytes: Int64
  /// The names it has.
  package var links: UInt32
  package var modified: FileTime
  /// When it was made; nil where the file system does not keep that.
  package var born: FileTime?
  /// Whether it is the top of a mounted file system (Linux 5.8 and later tell).
  package var isMountRoot: Bool

  init(_ facts: clinux_file_facts) {
    kind =
      switch facts.mode & UInt32(S_IFMT) {
      case UInt32(S_IFREG): .plain
      case UInt32(S_IFDIR): .folder
      case UInt32(S_IFLNK): .link
      default: .other
      }
    identity = FileIdentity(device: facts.device, inode: facts.inode)
    size = facts.size
    // The unit of stat(2) whatever the file system's is.
    allocatedBytes = facts.blocks.multipliedReportingOverflow(by: 512).partialValue
    links = facts.links
    modified = FileTime(
      seconds: facts.modified_seconds, nanoseconds: Int64(facts.modified_nanoseconds))
    born =
      facts.has_birth == 0
      ? nil : FileTime(seconds: facts.born_seconds, nanoseconds: Int64(facts.born_nanoseconds))
    isMountRoot = facts.is_mount_root != 0
  }
}
