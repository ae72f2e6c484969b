import Glibc
import Model

/// What a piece of work took, in milliseconds.
struct Cost {
  /// Of a processor, by this process and by the kernel for it: on a busy machine the steadier number.
  var cpu: Double
  /// By the clock on the wall.
  var wall: Double

  /// Does the work.
  static func of(_ work: () throws -> Void) rethrows -> Cost {
    let cpu = now(CLOCK_PROCESS_CPUTIME_ID)
    let wall = now(CLOCK_MONOTONIC)
    try work()
    return Cost(cpu: now(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall: now(CLOCK_MONOTONIC) - wall)
  }

  /// The two figures under the names `name` and `name_wall`.
  func named(_ name: String) -> [(name: String, value: Double)] { [(name, cpu), ("\(name)_wall", wall)] }

  private static func now(_ clock: clockid_t) -> Double {
    var time = timespec()
    // The kernel fills the variable it is given.
    unsafe clock_gettime(clock, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) * 1e-6
  }
}
