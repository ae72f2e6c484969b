import CLinux
import Glibc
public import Model

/// The wall clock, for showing when something happened.
public enum WallClock {
  /// Nanoseconds since 1970, as the kernel stamps packets.
  public static var nanoseconds: Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// The time now, with the local zone's offset from UTC.
  public static func now() -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    var local = unsafe tm()
    // In bounds: both structures are ours; the reentrant form writes nowhere else.
    unsafe localtime_r(&time.tv_sec, &local)
    return Timestamp(
      seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec), utcOffset: Int32(unsafe local.tm_gmtoff))
  }
}

extension Instant {
  /// The moment it is.
  public static var now: Instant {
    var time = timespec()
    unsafe clock_gettime(CLOCK_BOOTTIME, &time)
    return Instant(
      sinceZero: Duration(
        secondsComponent: Int64(time.tv_sec), attosecondsComponent: Int64(time.tv_nsec) * 1_000_000_000))
  }
}
