import Glibc

/// Calls that the C library hides from Swift and that only one thread feels: for tests run as root.
package enum ProcessesPrivileges {
  package static let isRoot = geteuid() == 0

  /// Runs `body` with the file permissions of nobody.
  package static func asNobody<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard isRoot else { return try body() }
    setFilesystemUser(65534)
    defer { setFilesystemUser(0) }
    return try body()
  }

  /// Moves the calling thread to a network namespace of its own; false when that is not allowed.
  package static func enterPrivateNetwork() -> Bool { call("unshare", 0x4000_0000) == 0 }

  // setfsuid(2): the kernel drops CAP_DAC_OVERRIDE with it, for this thread only.
  private static func setFilesystemUser(_ user: CInt) { _ = call("setfsuid", user) }

  private static func call(_ name: String, _ argument: CInt) -> CInt {
    // Both take one int and return one.
    typealias Function = @convention(c) (CInt) -> CInt
    guard let symbol = unsafe dlsym(nil, name) else { return -1 }
    return unsafe unsafeBitCast(symbol, to: Function.self)(argument)
  }
}
