public import Model
import CLinux
import Glibc
import SystemPackage

/// Lets the calling thread run as soon as it wakes: the socket that it was woken for may be gone in a millisecond.
///
/// It comes before all usual threads where `allow()` or CAP_SYS_NICE permits that, until it has used its share of a
/// processor; for the rest of that tenth of a second, and where it is not permitted, it has short turns, which wait
/// less (Linux 6.12 and later) and need no privilege.
public struct RealTimeThread {
  // A tenth of a millisecond, the shortest that the kernel grants.
  private static let slice: UInt64 = 100_000
  private var share = RealTimeShare()
  private var isAllowed = true
  private var isFirst = false

  /// Lets threads of this process come first later, when it has given its capabilities up (RLIMIT_RTPRIO of
  /// getrlimit(2)); false where that is not permitted: then nothing changes.
  @discardableResult public static func allow() -> Bool { clinux_may_come_first() == 0 }

  /// True where CAP_SYS_NICE permits that as well, as long as this thread has it.
  public static var hasCapability: Bool { Capabilities.priority.isSubset(of: .effective) }

  /// Prepares the calling thread, which alone may use this value. It keeps CAP_SYS_NICE when others give it up.
  public init() {
    clinux_keep_priority()
    comeFirst(true)
  }

  /// To be called now and then, in particular before more work: gives way when the share is used.
  public mutating func yield(at now: Instant) {
    guard isAllowed else { return }
    let mayBeFirst = share.mayBeFirst(used: Self.used(), at: now)
    if mayBeFirst != isFirst { comeFirst(mayBeFirst) }
  }

  private mutating func comeFirst(_ wanted: Bool) {
    if wanted { isAllowed = clinux_come_first() == 0 }
    isFirst = wanted && isAllowed
    if !isFirst { _ = clinux_short_slices(Self.slice) }
  }

  /// The processor's time that this thread has used.
  private static func used() -> Duration {
    var time = timespec()
    // The kernel fills the variable it is given.
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}

/// Decides when a thread has come first for long enough: a flood of flows must not take a processor from the host.
struct RealTimeShare {
  /// Over which time the share is counted.
  static let window = Duration.milliseconds(100)
  /// How much of a processor it may take before others in that time.
  static let limit = Duration.milliseconds(30)

  private var start: (time: Instant, used: Duration)?

  /// Takes the processor's time that the thread has used since it began; returns whether it may come first.
  mutating func mayBeFirst(used: Duration, at now: Instant) -> Bool {
    guard let last = start else {
      start = (now, used)
      return true
    }
    let (time, spent) = (now - last.time, used - last.used)
    if time < Self.window { return spent < Self.limit }
    start = (now, used)
    return spent * (Self.window / Self.limit) < time
  }
}
