import CLinux

/// A thread that must run soon after it wakes: the socket that it was woken for may be gone in a millisecond.
public enum PromptThread {
  // A tenth of a millisecond, the shortest that the kernel grants.
  private static let slice: UInt64 = 100_000

  /// Asks the scheduler to let the calling thread run soon after it wakes, in exchange for shorter turns; needs no
  /// privilege. False where the kernel cannot (before Linux 6.12 it has no effect).
  public static func prepare() -> Bool { clinux_short_slices(slice) == 0 }
}
