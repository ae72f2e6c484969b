import Glibc

extension NetworkNamespace {
  /// What `body` returns on a thread that is in the namespace, and ends there.
  public func inside<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      OtherThread.run {
        continuation.resume(
          with: Swift.Result {
            try self.enter()
            return try body()
          })
      }
    }
  }

  /// Moves the calling thread to it.
  private func enter() throws {
    let descriptor = unsafe open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    typealias Function = @convention(c) (CInt, CInt) -> CInt
    // setns(2), which the C library hides from Swift, takes two ints and returns one.
    guard descriptor >= 0, let symbol = unsafe dlsym(nil, "setns"),
      unsafe unsafeBitCast(symbol, to: Function.self)(descriptor, 0x4000_0000) == 0
    else { throw LabError.notStarted(command: "setns to \(name)", errno: errno) }
  }
}
