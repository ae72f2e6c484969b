public import Model

/// Which changes are mailed, and when: lines wait here until a mail may go. Does no I/O.
///
/// The first mail goes at once. The next one has to wait for `minimum`, and each one after that for `step` more, up to
/// `maximum`; what happens meanwhile goes into one mail. When no mail has gone for `maximum`, it begins anew, unless
/// lines were held back all the time. A mail goes only while the network is up.
public struct MailBackOff: Sendable {
  /// The subject of each mail.
  public static let subject = "pyNetConnMon"
  /// How many lines wait at most; the oldest go first, and the mail says how many.
  public static let lineLimit = 1000

  private let minimum: Duration
  private let maximum: Duration
  private let step: Duration

  private var lines: [String] = []
  private var leftOut = 0
  private var isUp = true
  private var last: ContinuousClock.Instant?
  private var gap: Duration

  /// Makes one that has sent nothing.
  public init(minimum: Duration, maximum: Duration, step: Duration) {
    self.minimum = minimum
    self.maximum = maximum
    self.step = step
    gap = min(minimum, maximum)
  }

  /// Takes a change. An ignored outage is in no mail, neither its begin nor its end.
  public mutating func note(_ outage: Outage) {
    switch outage.state {
    case .began: isUp = false
    case .ended(_, let isIgnored):
      isUp = true
      if isIgnored {
        _ = lines.popLast()
        return
      }
    }
    lines.append("\(ConnectivityLine(outage))")
    guard lines.count > Self.lineLimit else { return }
    lines.removeFirst()
    leftOut += 1
  }

  /// The text of the mail that is to go at `now`; nil when none is. Ask after each attempt.
  public mutating func take(at now: ContinuousClock.Instant) -> String? {
    if let last {
      let isHeldBack = !lines.isEmpty && gap >= maximum
      if now - last > maximum, !isHeldBack {
        self.last = nil
        gap = min(minimum, maximum)
      } else if now - last <= gap {
        return nil
      }
    }
    guard isUp, let body = body() else { return nil }
    if last != nil { gap = min(gap + step, maximum) }
    last = now
    return body
  }

  /// The text of all that waits, for a program that ends; nil when nothing does.
  public mutating func takeRest() -> String? { body() }

  private mutating func body() -> String? {
    guard !lines.isEmpty else { return nil }
    defer {
      lines = []
      leftOut = 0
    }
    let note = leftOut == 0 ? [] : ["(\(leftOut) earlier lines had no room here)"]
    return (note + lines).joined(separator: "\n")
  }
}
