import Glibc
import SystemPackage

/// An open descriptor; closed when its owner goes.
struct Descriptor: ~Copyable {
  /// The kernel's number for it.
  let number: CInt

  /// Takes over a descriptor that nobody else closes.
  init(owning number: CInt) { self.number = number }

  deinit { close(number) }
}

extension Errno {
  /// Why the last system call of this thread failed.
  package static var last: Errno { Errno(rawValue: errno) }
}
