import Glibc
import SystemPackage

/// An open descriptor; closed when its owner goes.
struct Descriptor: ~Copyable {
  /// The kernel's number for it.
  let number: CInt

  /// Takes over a descriptor that nobody else closes.
  init(owning number: CInt) { self.number = number }

  deinit { close(number) }

  /// Takes the error that waits at a socket (SO_ERROR of socket(7)), which the next call would report.
  func clearError() {
    var code: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    // In bounds: the kernel writes one number.
    _ = unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &length)
  }
}

extension Errno {
  /// Why the last system call of this thread failed.
  package static var last: Errno { Errno(rawValue: errno) }
}
