import Glibc

/// The environment of this process (environ(7)).
public enum Environment {
  /// The value of a variable; nil when it is not set.
  public static func value(_ name: String) -> String? {
    // The text is copied before anything could change the environment.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
}

/// Who this process runs as.
public enum ProcessUser {
  /// Whether it is root, whatever its capabilities are (geteuid(2)).
  public static var isRoot: Bool { geteuid() == 0 }
}

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
