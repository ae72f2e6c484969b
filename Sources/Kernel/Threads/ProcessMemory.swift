import CLinux

/// How this process holds memory that it does not use.
public enum ProcessMemory {
  /// Gives it back as soon as that is possible, at the price of a page fault for each large piece (mallopt(3)). glibc
  /// otherwise keeps pieces of up to 32 MiB once one of their size was freed, and an arena for each thread: twice what
  /// a monitor of short-lived processes uses. Call it before threads are made; where it is not possible nothing changes.
  public static func returnEarly() { _ = clinux_return_memory_early() }
}
