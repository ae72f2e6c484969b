/// A moment of the clock that nobody sets, and that goes on while the machine sleeps (CLOCK_BOOTTIME, clock_gettime(2)).
///
/// `ContinuousClock.Instant` says the same, but programs learn its layout only when they run: whatever holds one is then copied
/// and compared by calls.
public struct Instant: InstantProtocol {
  /// How long after the clock's zero.
  public var sinceZero: Duration

  /// Makes a moment.
  @inlinable public init(sinceZero: Duration) { self.sinceZero = sinceZero }

  /// The moment so much later.
  @inlinable public func advanced(by duration: Duration) -> Instant {
    Instant(sinceZero: sinceZero + duration)
  }

  /// How long it is until `other`; negative where that is earlier.
  @inlinable public func duration(to other: Instant) -> Duration { other.sinceZero - sinceZero }

  /// Whether one is earlier than another.
  @inlinable public static func < (left: Instant, right: Instant) -> Bool {
    left.sinceZero < right.sinceZero
  }

  /// The moment so much later.
  @inlinable public static func + (start: Instant, duration: Duration) -> Instant {
    start.advanced(by: duration)
  }

  /// The moment so much earlier.
  @inlinable public static func - (end: Instant, duration: Duration) -> Instant {
    Instant(sinceZero: end.sinceZero - duration)
  }

  /// How long it is from `start` to `end`.
  @inlinable public static func - (end: Instant, start: Instant) -> Duration { start.duration(to: end) }

  /// Moves a moment so much later.
  @inlinable public static func += (instant: inout Instant, duration: Duration) {
    instant = instant + duration
  }
}
