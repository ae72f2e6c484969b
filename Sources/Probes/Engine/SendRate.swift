import Model

/// Whether so much is sent that less is to be done for each request. Does no I/O.
struct SendRate: Sendable {
  /// Above this rate the kernel's stamps of what is sent, and a look at each reply when it comes, cost more than they tell.
  private static let highPerSecond = 2000.0

  private var count = 0
  private var since: Instant
  /// True when the rate was high in the last second or more.
  private(set) var isHigh = false

  /// Nothing was sent before `now`.
  init(at now: Instant) { since = now }

  /// Takes note that `count` requests are sent; decides once a second.
  mutating func add(_ count: Int, at now: Instant) {
    self.count += count
    let passed = now - since
    guard passed >= .seconds(1) else { return }
    isHigh = Double(self.count) > Self.highPerSecond * passed.inSeconds
    (self.count, since) = (0, now)
  }
}
