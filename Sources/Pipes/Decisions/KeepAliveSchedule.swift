import Model

/// When connections are looked at that may have become old: only those are worth the timers with which the kernel finds
/// out that a peer has vanished, for most end before. Does no I/O.
struct KeepAliveSchedule: Sendable, Equatable {
  /// How long a connection is young, at least; at most twice as long.
  static let usual = Duration.seconds(10)

  /// When to look next; nil while none is young.
  private(set) var nextLook: Instant?

  private let age: Duration
  private var count = 0

  /// Connections are young until they have lived for `age`.
  init(age: Duration) { self.age = age }

  /// A connection has begun.
  mutating func began(at now: Instant) {
    count += 1
    if nextLook == nil { nextLook = now + age }
  }

  /// A young one has ended, or was found to be old.
  mutating func left() {
    count -= 1
    if count == 0 { nextLook = nil }
  }

  /// Whether it is time to look at all; the next time is set.
  mutating func isDue(at now: Instant) -> Bool {
    guard let due = nextLook, due <= now else { return false }
    nextLook = now + age
    return true
  }

  /// Whether a connection that began at `start` is old.
  func isOver(_ start: Instant, at now: Instant) -> Bool {
    start + age <= now
  }
}
