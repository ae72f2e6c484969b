import Glibc
import SystemPackage

/// Moves the calling thread, here the only one, to another network namespace (setns(2)).
enum NamespaceEntry {
  static func enter(_ path: String) throws {
    guard !path.isEmpty else { return }
    // The C library hides its prototype from Swift: two ints in, one out.
    typealias Function = @convention(c) (CInt, CInt) -> CInt
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    guard descriptor >= 0, let symbol = unsafe dlsym(nil, "setns"),
      unsafe unsafeBitCast(symbol, to: Function.self)(descriptor, 0x4000_0000) == 0
    else { throw Errno(rawValue: errno) }
  }
}
