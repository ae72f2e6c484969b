import Glibc

/// Standard error: where a line that cannot be written is lost, because there is nobody left to tell.
public enum StandardError {
  /// Writes `text` in one piece as far as the kernel takes it.
  public static func write(_ text: String) {
    let bytes = Array(text.utf8)
    // In bounds: the pointer and count are the array's own.
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
