/// The pauses between attempts that fail: each is twice as long as the one before, up to a longest.
public struct BackOff: Sendable, Hashable {
  private let first: Duration
  private let longest: Duration
  private var current: Duration

  /// Makes one whose first pause is `first`.
  public init(first: Duration, longest: Duration) {
    self.first = first
    self.longest = longest
    current = first
  }

  /// Returns how long to wait this time.
  public mutating func next() -> Duration {
    defer { current = min(current * 2, longest) }
    return current
  }

  /// Begins again, after a success.
  public mutating func reset() { current = first }
}
