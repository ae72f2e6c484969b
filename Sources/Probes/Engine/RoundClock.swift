import Model

/// When the rounds of one probe of a target begin, and their numbers. Does no I/O.
struct RoundClock: Sendable {
  private let interval: Duration?

  /// When the next round begins; nil when there is none any more.
  private(set) var nextStart: Instant?
  /// The number of the last round that has begun, to tell what belongs to it from what is older; it wraps.
  private(set) var number: UInt16 = 0

  /// Has the first round begin at `start`, and one each `interval`; without that it is the only one.
  init(_ interval: Duration?, start: Instant) {
    self.interval = interval
    nextStart = start
  }

  /// Begins a round if one is due; where one or more were missed, they are not made up for.
  mutating func begins(at now: Instant) -> Bool {
    guard let start = nextStart, now >= start else { return false }
    number &+= 1
    nextStart = interval.map { start + $0 > now ? start + $0 : now + $0 }
    return true
  }

  /// Begins no round any more.
  mutating func finish() { nextStart = nil }
}
