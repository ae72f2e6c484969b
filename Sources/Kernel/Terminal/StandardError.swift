import Glibc
import Synchronization

/// Standard error: where a line that cannot be written is lost, because there is nobody left to tell.
public enum StandardError {
  private static let latest = Mutex<[String]>([])
  private static let latestLimit = 4

  /// The last few texts that were written, for a table that is painted over them.
  public static var recent: [String] { latest.withLock { $0 } }

  /// True when it is a terminal (isatty(3)).
  public static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Writes `text` in one piece as far as the kernel takes it; nothing while its reader does not read.
  public static func write(_ text: String) {
    latest.withLock {
      $0.append(text)
      if $0.count > latestLimit { $0.removeFirst() }
    }
    guard StandardOutput.isWritable(STDERR_FILENO) else { return }
    let bytes = Array(text.utf8)
    // In bounds: the pointer and count are the array's own.
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
