import Glibc

/// An open descriptor; closed when its owner goes.
struct Descriptor: ~Copyable {
  /// The kernel's number for it.
  let number: CInt

  /// Takes over a descriptor that nobody else closes.
  init(owning number: CInt) { self.number = number }

  deinit { close(number) }
}
