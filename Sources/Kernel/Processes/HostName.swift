import Glibc

/// The name of this host (gethostname(2)).
public enum HostName {
  /// The name as it is now; empty if there is none.
  public static var current: String {
    // Linux's limit is 64; the kernel ends what fits with NUL.
    var bytes = [UInt8](repeating: 0, count: 65)
    let failed = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let start = buffer.baseAddress else { return true }
      return unsafe gethostname(start.assumingMemoryBound(to: CChar.self), buffer.count - 1) != 0
    }
    return failed ? "" : String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
