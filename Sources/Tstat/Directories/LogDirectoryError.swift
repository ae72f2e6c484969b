public import SystemPackage

/// Why a directory of logs cannot be worked on. Each description ends with what to do.
public enum LogDirectoryError: Error, Sendable, Hashable {
  /// There is no such root, or it cannot be opened.
  case noRoot(path: String, Errno)
  /// It was there a moment ago.
  case vanished(path: String)
  /// Another directory has its name by now.
  case replaced(path: String)
  /// Its mark or logs are not what they were when it was found.
  case changed(path: String)
  /// It, or a file in it, cannot be read.
  case unreadable(path: String, Errno)
  /// A file could not be written; it is not there, or as before.
  case unwritable(path: String, Errno)
  /// Another process works in it.
  case inUse(path: String, by: String)
  /// The file system has no locks for directories (flock(2)).
  case noLocks(path: String, Errno)
  /// A file system is mounted within it.
  case mountPoint(path: String)
  /// Its folders are nested deeper than tstat or people nest them.
  case tooDeep(path: String)
  /// This directory of logs lies within one that was to be removed.
  case holdsLogs(path: String)
  /// Something in it could not be removed.
  case notRemoved(path: String, Errno)

  /// Whether the directory may be as it should be at the next run, without anybody's help.
  public var passesByItself: Bool {
    switch self {
    case .vanished, .replaced, .changed, .inUse, .holdsLogs: true
    case .noRoot, .unreadable, .unwritable, .noLocks, .mountPoint, .tooDeep, .notRemoved: false
    }
  }
}

extension LogDirectoryError: CustomStringConvertible {
  /// A sentence for an administrator.
  public var description: String {
    switch self {
    case .noRoot(let path, .noSuchFileOrDirectory): "\(path): there is no such directory. Check --directory."
    case .noRoot(let path, .notDirectory): "\(path) is not a directory. Check --directory."
    case .noRoot(let path, let errno), .unreadable(let path, let errno):
      "\(path) cannot be read: \(errno.description). Check its owner and permissions."
    case .vanished(let path): "\(path) is gone. Nothing is to be done if somebody else removes old logs."
    case .replaced(let path):
      "\(path) is another directory now than when it was found. It is left for the next run."
    case .changed(let path): "\(path) was changed while it was looked at. It is left for the next run."
    case .unwritable(let path, let errno):
      "\(path) cannot be written: \(errno.description). \(Self.advice(errno))"
    case .inUse(let path, let program):
      "another \(program) works in \(path): wait for its end, or find it with `fuser -v \(path)`."
    case .noLocks(let path, let errno):
      "the file system of \(path) has no locks for directories (\(errno.description)): see that one run ends before "
        + "the next begins, as with `flock -n /run/lock/tstat_send COMMAND` on this host."
    case .mountPoint(let path):
      "\(path) is the top of another file system, which is not removed: unmount it if the directory is to go."
    case .tooDeep(let path): "\(path) is nested too deep to be the work of tstat: remove it by hand."
    case .holdsLogs(let path):
      "\(path) lies within a directory that is to be removed: that one stays until this one is gone."
    case .notRemoved(let path, let errno):
      "\(path) cannot be removed: \(errno.description). \(Self.advice(errno))"
    }
  }

  private static func advice(_ errno: Errno) -> String {
    switch errno {
    case .noSpace, Errno.diskQuotaExceeded: "Free some space there, or raise the quota."
    case .readOnlyFileSystem: "Mount the file system for writing."
    case .permissionDenied, .notPermitted: "Run as the owner of the logs, or give this user write permission."
    case .ioError: "Look for a failing disk in the kernel's log (`dmesg`)."
    case .fileTooLarge: "Raise the limit of file sizes (`ulimit -f`; systemd: LimitFSIZE=)."
    default: "Find out what holds it, and run again."
    }
  }
}

extension Errno {
  /// EDQUOT.
  fileprivate static var diskQuotaExceeded: Errno { Errno(rawValue: 122) }
}
