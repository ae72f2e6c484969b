import Model

/// What an application moved in the last `interval`, in at most some 66 parts whatever the interval.
///
/// A window starts full of nothing: an application that was not seen has moved nothing.
struct RateWindow: Sendable {
  private struct Part {
    /// In nanoseconds.
    var duration: Int64
    var usage: Usage
  }

  /// Two parts that follow each other are longer than the interval by this: that bounds their number.
  private static let resolution: Int64 = 32

  /// In nanoseconds.
  let interval: Int64
  /// The earliest first.
  private var parts: [Part]
  private var covered: Int64
  private var sum = Usage.zero
  /// The average of each direction over the interval; of the earliest part counts what lies inside.
  private(set) var average = Rates.zero

  /// Makes a window; `interval` is in nanoseconds and positive.
  init(interval: Int64) {
    self.interval = interval
    parts = [Part(duration: interval, usage: .zero)]
    covered = interval
  }

  /// Adds what moved in the next `duration`, which is in nanoseconds and positive.
  mutating func add(_ usage: Usage, over duration: Int64) {
    if parts.count > 1, parts[parts.count - 1].duration + duration <= interval / Self.resolution {
      parts[parts.count - 1].duration += duration
      parts[parts.count - 1].usage += usage
    } else {
      parts.append(Part(duration: duration, usage: usage))
    }
    covered += duration
    sum += usage
    while covered - parts[0].duration >= interval {
      covered -= parts[0].duration
      sum = Usage(received: sum.received &- parts[0].usage.received, sent: sum.sent &- parts[0].usage.sent)
      parts.removeFirst()
    }
    average = currentAverage()
  }

  /// True when nothing moved in the window.
  var isEmpty: Bool { sum.isZero }

  /// How many parts it is held in.
  var count: Int { parts.count }

  private func currentAverage() -> Rates {
    let outside = Double(covered - interval) / Double(parts[0].duration)
    let seconds = Double(interval) * 1e-9
    return Rates(
      received: .bytesPerSecond((Double(sum.received) - Double(parts[0].usage.received) * outside) / seconds),
      sent: .bytesPerSecond((Double(sum.sent) - Double(parts[0].usage.sent) * outside) / seconds))
  }
}
