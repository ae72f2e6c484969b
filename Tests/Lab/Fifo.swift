import Glibc

/// A named pipe: a program's standard input, written and ended by the test.
struct Fifo: ~Copyable {
  /// Where it lies.
  let path: String
  private let descriptor: CInt

  /// Makes one and opens it for both directions, so that neither end waits for the other.
  init(path: String) throws {
    guard unsafe mkfifo(path, 0o600) == 0 else { throw LabError.notStarted(command: path, errno: errno) }
    self.path = path
    descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
  }

  // The reader sees the end of its input.
  deinit { close(descriptor) }

  /// Writes a short text.
  borrowing func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }

  /// Returns a descriptor of a pipe that nobody reads: who writes to it gets EPIPE.
  static func writerWithoutReader(path: String) throws -> CInt {
    guard unsafe mkfifo(path, 0o600) == 0 else { throw LabError.notStarted(command: path, errno: errno) }
    let reader = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    defer { close(reader) }
    return unsafe open(path, O_WRONLY | O_CLOEXEC)
  }
}
