import CLinux
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

/// The processors that there are for this process.
public enum Processors {
  /// How many the calling thread may run on (sched_getaffinity(2)), which in a container may be fewer than the host has;
  /// where the kernel does not report that, how many there are (sysconf(3), _SC_NPROCESSORS_ONLN). At least one.
  public static var count: Int {
    let allowed = Int(clinux_allowed_processors())
    return max(1, allowed > 0 ? allowed : sysconf(CInt(_SC_NPROCESSORS_ONLN)))
  }
}

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

  /// Unmaps the programs' text that only the start needed: the kernel maps 64 KiB around each page that is used, and a
  /// start uses most of it. What is used later comes back from the page cache by a fault. For once, after the start; a
  /// process under a debugger is left alone, whose breakpoints are in that text.
  public static func unmapTextOfStart() {
    let status = SmallFile.text("/proc/self/status") ?? ""
    guard status.contains("\nTracerPid:\t0\n") else { return }
    clinux_unmap_text()
  }
}
