import CLinux
import Glibc

/// A moment that a later process understands, also after a restart of this host.
public struct LastingMoment: Sendable, Hashable {
  /// What this run of the kernel is known by (`boot_id` of random(4)); empty where that is not known.
  public var boot: String
  /// Nanoseconds since the kernel started, time in suspend included (CLOCK_BOOTTIME).
  public var sinceBoot: Int64
  /// Nanoseconds since 1970 by the wall clock.
  public var wall: Int64

  /// Makes a moment from what was written down.
  public init(boot: String, sinceBoot: Int64, wall: Int64) {
    self.boot = boot
    self.sinceBoot = sinceBoot
    self.wall = wall
  }

  /// The moment now.
  public static func now() -> Self {
    var time = timespec()
    // In bounds: the kernel fills the variable it is given.
    unsafe clock_gettime(CLOCK_BOOTTIME, &time)
    let sinceBoot = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    return Self(boot: currentBoot, sinceBoot: sinceBoot, wall: WallClock.nanoseconds)
  }

  /// How long it is since `earlier`, never less than nothing: by the clock that is never set, or by the wall clock where the
  /// host was started again in between.
  public func elapsed(since earlier: Self) -> Duration {
    let isSameBoot = !boot.isEmpty && boot == earlier.boot
    let (later, before) = isSameBoot ? (sinceBoot, earlier.sinceBoot) : (wall, earlier.wall)
    return max(.zero, .nanoseconds(later) - .nanoseconds(before))
  }

  private static let currentBoot: String = {
    do throws(KernelError) {
      let bytes = try WholeFile.read("/proc/sys/kernel/random/boot_id", limit: 64)
      return String(decoding: bytes.filter { $0 > 0x20 && $0 < 0x7f }, as: UTF8.self)
    } catch { return "" }
  }()
}
