import CLinux

/// How this process holds memory that it does not use.
public enum ProcessMemory {
  /// Gives it back as soon as that is possible, at the price of a page fault for each large piece (mallopt(3)). glibc
  /// otherwise keeps pieces of up to 32 MiB once one of their size was freed, and an arena for each thread: twice what
  /// a monitor of short-lived processes uses. Call it before threads are made; where it is not possible nothing
  /// changes.
  public static func returnEarly() { _ = clinux_return_memory_early() }

  /// Gives back what lies free between pieces in use (malloc_trim(3)): processes and flows that come and go leave gaps,
  /// which would grow for hours. For once in a while: other threads wait meanwhile when they need memory.
  public static func returnGaps() { clinux_return_free_memory() }
}
