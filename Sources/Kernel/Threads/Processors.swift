import CLinux
import Glibc

/// The processors that there are for this process.
public enum Processors {
  /// How many the calling thread may run on (sched_getaffinity(2)), which in a container may be fewer than the host has;
  /// where the kernel does not tell, how many there are (sysconf(3), _SC_NPROCESSORS_ONLN). At least one.
  public static var count: Int {
    let allowed = Int(clinux_allowed_processors())
    return max(1, allowed > 0 ? allowed : sysconf(CInt(_SC_NPROCESSORS_ONLN)))
  }
}
