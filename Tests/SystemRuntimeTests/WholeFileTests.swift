import Glibc
import Lab
import Synchronization
import Testing

@testable import SystemRuntime

/// Configurations, also from a pipe: `--app-config <(...)`.
@Suite struct WholeFileTests {
  private final class Outcome: Sendable {
    let value = Mutex<Result<[UInt8], KernelError>?>(nil)
  }

  @Test func `a pipe is read to its end, however slowly it is written`() async throws {
    var ends: [CInt] = [-1, -1]
    #expect(unsafe pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (reader, writer) = (ends[0], ends[1])
    defer { close(reader) }
    func write(_ text: String) { _ = unsafe Glibc.write(writer, text, text.utf8.count) }
    let outcome = Outcome()
    try WorkerThread.start("reader") {
      do throws(KernelError) {
        let bytes = try WholeFile.read("/proc/self/fd/\(reader)", limit: 100, patience: patience)
        outcome.value.withLock { $0 = .success(bytes) }
      } catch { outcome.value.withLock { $0 = .failure(error) } }
    }
    for line in ["[a]\n", "b=c\n"] {
      write(line)
      // It waits for more now.
      _ = try await eventually("an empty pipe") {
        var left: CInt = 0
        return unsafe ioctl(reader, UInt(FIONREAD), &left) == 0 && left == 0 ? true : nil
      }
    }
    close(writer)
    _ = try await eventually("the end of the file") { outcome.value.withLock { $0 } }
    #expect(try outcome.value.withLock { $0 }?.get() == Array("[a]\nb=c\n".utf8))
  }

  @Test func `a file that is longer than wanted can be recognized`() throws {
    #expect(try WholeFile.read("/proc/self/status", limit: 10).count > 10)
    #expect(throws: KernelError.self) { try WholeFile.read("/nonexistent", limit: 10) }
    #expect(throws: KernelError.self) { try WholeFile.read("/proc", limit: 10) }
  }
}
