import Glibc

/// How many descriptors this process may have open (getrlimit(2), RLIMIT_NOFILE).
public enum DescriptorLimit {
  /// Raises the limit to the highest that is allowed without privilege, and returns it.
  public static func raise() -> Int {
    var limit = rlimit()
    // In bounds: the kernel reads or writes one structure.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(clamping: limit.rlim_cur)
  }
}
