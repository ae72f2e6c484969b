import Glibc
import SystemPackage

/// Standard output, and the terminal that it may be.
public enum StandardOutput {
  /// What became of a text.
  public enum Outcome: Sendable, Hashable {
    /// All of it was written.
    case written
    /// Nobody reads any more: end quietly.
    case closed
  }

  /// Writes `text` whole, waiting for a slow reader.
  public static func write(_ text: String) throws(KernelError) -> Outcome {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      // In bounds: the pointer and count are the slice's own.
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
        continue
      }
      switch errno {
      case EINTR: continue
      case EPIPE, EBADF: return .closed
      case EAGAIN: waitUntilWritable()
      default: throw .failed("writing to standard output", Errno(rawValue: errno))
      }
    }
    return .written
  }

  /// True when it is a terminal (isatty(3)).
  public static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Columns and rows of the terminal; nil when it is none, or does not say.
  public static func terminalSize() -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return nil
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  private static func waitUntilWritable() {
    var event = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
    _ = unsafe poll(&event, 1, -1)
  }
}
