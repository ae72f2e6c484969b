public import Model

/// Which changes are mailed, and when: lines wait here until a mail may go. Does no I/O.
///
/// The first mail goes at once. The next one has to wait for `minimum`, and each one after that for `step` more, up to
/// `maximum`; what happens meanwhile goes into one mail. When no mail has gone for `maximum`, it begins again, unless
/// lines were held back all the time. A mail goes only while the network is up.
public struct MailBackOff: Sendable {
  /// The subject of each mail.
  public static let subject = "pyNetConnMon"
  /// How many lines wait at most; the oldest go first, and the mail says how many. So many fit into one mail.
  public static let lineLimit = 700

  private let minimum: Duration
  private let maximum: Duration
  private let step: Duration

  private var lines: [String] = []
  private var leftOut = 0
  private var isUp = true
  private var last: Instant?
  private var gap: Duration

  /// Makes one that has sent nothing.
  public init(minimum: Duration, maximum: Duration, step: Duration) {
    self.minimum = minimum
    self.maximum = maximum
    self.step = step
    gap = min(minimum, maximum)
  }

  /// Goes on where an earlier run ended: its lines come first, its last mail counts. With `isDown` nothing is mailed until
  /// the end of the outage is noted.
  public mutating func resume(_ memory: OutageMemory, isDown: Bool) {
    lines = memory.lines + lines
    leftOut += memory.leftOut
    if last == nil, let mailed = memory.lastMail {
      last = mailed
      gap = min(memory.gap, maximum)
    }
    if isDown { isUp = false }
    dropOldest()
  }

  /// What the next run is to know of `subject`, which is down since `downSince`.
  public func memory(of subject: String, downSince: Instant?) -> OutageMemory {
    var memory = OutageMemory(subject: subject)
    memory.downSince = downSince
    memory.lines = lines
    memory.leftOut = leftOut
    memory.lastMail = last
    memory.gap = last == nil ? .zero : gap
    return memory
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
    dropOldest()
  }

  private mutating func dropOldest() {
    let excess = lines.count - Self.lineLimit
    guard excess > 0 else { return }
    lines.removeFirst(excess)
    leftOut += excess
  }

  /// The text of the mail that is to go at `now`; nil when none is. Ask after each attempt.
  public mutating func take(at now: Instant) -> String? {
    if let last {
      let isHeldBack = !lines.isEmpty && gap >= maximum
      if now - last > maximum, !isHeldBack {
        self.last = nil
        gap = min(minimum, maximum)
      } else if now - last <= gap {
        return nil
      }
    }
    return takeRest(at: now)
  }

  /// The text of all that waits, without regard to when the last mail went. Counts as a mail. Nil when nothing waits, and while
  /// the network is down, as the end of the outage is still to come; `evenIfDown` is for who cannot wait for it.
  public mutating func takeRest(at now: Instant, evenIfDown: Bool = false) -> String? {
    guard isUp || evenIfDown, !lines.isEmpty else { return nil }
    let note = leftOut == 0 ? [] : ["(\(leftOut) earlier lines had no room here)"]
    let body = (note + lines).joined(separator: "\n")
    (lines, leftOut) = ([], 0)
    if last != nil { gap = min(gap + step, maximum) }
    last = now
    return body
  }
}
