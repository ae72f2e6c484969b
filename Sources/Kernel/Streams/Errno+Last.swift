import Glibc
import SystemPackage

extension Errno {
  /// Why the last system call of this thread failed.
  static var last: Errno { Errno(rawValue: errno) }
}
