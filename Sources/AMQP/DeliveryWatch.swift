import Model

/// Decides when waiting for a broker has lasted too long.
///
/// It counts only while a record waits to be confirmed. The broker may block for so long in all, and may confirm nothing for
/// so long beside that: only a confirmation begins both again, whatever becomes of connections meanwhile.
struct DeliveryWatch: Sendable {
  /// What has lasted too long.
  enum Verdict: Sendable, Hashable {
    /// Nothing was confirmed for this long.
    case unconfirmed(Duration)
    /// The broker took no messages for this long.
    case blocked(Duration)
  }

  private let unconfirmed: Duration?
  private let blocked: Duration?
  /// Since when something is owed and nothing was confirmed.
  private var owedSince: Instant?
  private var blockedSince: Instant?
  /// For how long it had blocked since then, before it last ended to.
  private var blockedBefore = Duration.zero

  /// Makes a watch with these limits; nil is none.
  init(unconfirmed: Duration?, blocked: Duration?) {
    self.unconfirmed = unconfirmed
    self.blocked = blocked
  }

  /// Whether the broker takes no messages.
  var isBlocked: Bool { blockedSince != nil }

  /// Takes note whether a record waits.
  mutating func note(isOwed: Bool, at now: Instant) {
    if isOwed == (owedSince != nil) { return }
    (owedSince, blockedBefore) = (isOwed ? now : nil, .zero)
  }

  /// Takes note that the broker has answered for a record.
  mutating func succeed(at now: Instant) {
    if owedSince != nil { (owedSince, blockedBefore) = (now, .zero) }
  }

  /// Takes note whether the broker blocks.
  mutating func note(isBlocked: Bool, at now: Instant) {
    if !isBlocked, let blockedSince, let owedSince { blockedBefore += now - max(blockedSince, owedSince) }
    blockedSince = isBlocked ? blockedSince ?? now : nil
  }

  /// What has lasted too long; nil for nothing.
  func verdict(at now: Instant) -> Verdict? {
    guard let deadline, deadline.instant <= now else { return nil }
    return deadline.verdict
  }

  /// When there will be a verdict if nothing happens before; nil for never.
  var nextDeadline: Instant? { deadline?.instant }

  private var deadline: (instant: Instant, verdict: Verdict)? {
    guard let owedSince else { return nil }
    if let blockedSince {
      // What came after the block began has been waiting since then only.
      return blocked.map { (max(blockedSince, owedSince) + ($0 - blockedBefore), .blocked($0)) }
    }
    return unconfirmed.map { (owedSince + blockedBefore + $0, .unconfirmed($0)) }
  }
}
