/// When the first rounds of many targets begin: thousands must not send all at the same moment. Does no I/O.
struct FirstRounds: Sendable {
  /// How many targets begin.
  let count: Int

  /// So few begin at once.
  private static let few = 16
  /// Over what time rounds are spread that come once.
  private static let once = Duration.milliseconds(500)

  /// How long after the others the target at `index` begins rounds of which one comes each `interval`, nil for a single one.
  ///
  /// They are spread over the interval, so that as much is sent at each moment; but a short time is enough where no more than
  /// `perSecond` begin in a second.
  func delay(of index: Int, interval: Duration?, perSecond: Int) -> Duration {
    guard count > Self.few else { return .zero }
    let enough = max(.seconds(1), .seconds(1) * count / perSecond)
    return (interval.map { min($0, enough) } ?? Self.once) * index / count
  }
}
