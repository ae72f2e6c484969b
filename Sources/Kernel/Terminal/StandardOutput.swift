import CLinux
import Glibc
import SystemPackage

/// Standard output, and the terminal that it may be.
public enum StandardOutput {
  /// What became of a text.
  public enum Outcome: Sendable, Hashable {
    /// All of it was written.
    case written
    /// The reader is slow: some of it waits.
    case waiting
    /// Nobody reads any more: end quietly.
    case closed
  }

  /// True when it is a terminal (isatty(3)).
  public static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// False when it was closed before the program started, which is seen as one that can only be read.
  public static var isOpen: Bool { fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE != O_RDONLY }

  /// Writes `text` and a newline, however slow the reader is; nothing where nobody reads.
  public static func printLine(_ text: String) throws(KernelError) {
    _ = clinux_ignore_broken_pipes()
    var queue = OutputQueue()
    var outcome = try queue.write(Array("\(text)\n".utf8))
    while outcome == .waiting {
      waitUntilWritable(atMost: .seconds(1))
      outcome = try queue.flush()
    }
  }

  /// Columns and rows of the terminal; nil when it is none, or does not say.
  public static func terminalSize() -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return nil
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// True when a write of `OutputQueue.chunk` bytes would not have to wait.
  static func isWritable(_ descriptor: CInt) -> Bool {
    var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    // In bounds: one structure.
    return unsafe poll(&event, 1, 0) > 0
  }

  /// Waits until a write would not have to, or `limit` has passed.
  static func waitUntilWritable(atMost limit: Duration) {
    var event = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
    // In bounds: one structure.
    _ = unsafe poll(&event, 1, limit.inMillisecondsRoundedUp)
  }
}
