import Model
import SystemRuntime

/// How long a request took, from the kernel's stamps where they can be believed. Does no I/O.
///
/// The kernel's stamps are of the wall clock, which may be set between two of them; those of this program are not, but come
/// late on a busy processor.
struct RoundTripClock: Sendable {
  /// Both clocks, read together.
  struct Reading: Sendable, Hashable {
    /// The monotonic one.
    var instant: Instant
    /// Nanoseconds since 1970 by the wall clock.
    var wall: Int64
  }

  /// How far the clocks may part without the wall clock having been set: adjtimex(2) slews by 500 ppm at most.
  private static let slew = Duration.microseconds(50)
  private static let slewPerSecond = Duration.microseconds(600)
  private static let slewOfSecond = slew + slewPerSecond

  /// The round-trip time of a request that was sent at `sent` and whose reply was read at `received`; `sentStamp` and
  /// `receivedStamp` are the kernel's. Never negative, never longer than what passed between both readings.
  static func roundTrip(
    sent: Reading, sentStamp: Int64?, received: Reading, receivedStamp: Int64?
  ) -> Duration {
    let seen = max(.zero, received.instant - sent.instant)
    guard let receivedStamp else { return seen }
    let parted = Duration.nanoseconds(received.wall &- sent.wall) - seen
    // Below a second the allowance is that of a second: a product of durations takes long.
    let allowed = seen < .seconds(1) ? slewOfSecond : slewOfSecond + slewPerSecond * seen.inSeconds
    guard parted.magnitude <= allowed else { return seen }
    let stamped = Duration.nanoseconds(receivedStamp &- (sentStamp ?? sent.wall))
    return stamped >= .zero && stamped <= seen + allowed ? stamped : seen
  }
}

extension Duration {
  fileprivate var magnitude: Duration { self < .zero ? .zero - self : self }
}
