import Model

/// How many questions may be asked of the kernel in searches that go through all processes: sockets that nobody
/// here holds must not cost a processor.
struct SearchAllowance {
  private let capacity: Double
  private let perSecond: Double
  private var left: Double
  private var last: Instant

  /// Starts full.
  init(capacity: Int, perSecond: Int, at now: Instant) {
    self.capacity = Double(capacity)
    self.perSecond = Double(perSecond)
    left = Double(capacity)
    last = now
  }

  /// What may be asked now.
  mutating func available(at now: Instant) -> Int {
    if now > last {
      let seconds =
        Double(last.duration(to: now).components.seconds)
        + Double(last.duration(to: now).components.attoseconds) * 1e-18
      left = min(capacity, left + seconds * perSecond)
      last = now
    }
    return Int(left)
  }

  /// Notes what was asked; more than was available is paid back before the next.
  mutating func spend(_ questions: Int) { left = max(left - Double(questions), -capacity) }
}
