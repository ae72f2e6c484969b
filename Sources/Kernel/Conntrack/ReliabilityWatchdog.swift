/// Decides whether the kernel should keep DESTROY events that do not fit the buffer.
///
/// What it keeps it also keeps in the connection table, so that a reader that does not keep up would fill it and
/// the host would refuse connections. Losing events is then the smaller harm: the next dump finds what is gone.
struct ReliabilityWatchdog {
  /// Above this much of the buffer the reader does not keep up.
  static let high = 0.5
  /// Below this it has caught up.
  static let low = 0.05
  /// How long it must have kept up before it is trusted again.
  static let probation = Duration.seconds(10)

  private var fellBehind: ContinuousClock.Instant?

  /// Takes how full the buffer is when the reader comes to it; returns whether to ask for reliable delivery.
  mutating func isReliable(fill: Double, at now: ContinuousClock.Instant) -> Bool {
    if fill >= Self.high || (fellBehind != nil && fill > Self.low) { fellBehind = now }
    guard let fellBehind else { return true }
    if now - fellBehind < Self.probation { return false }
    self.fellBehind = nil
    return true
  }
}
