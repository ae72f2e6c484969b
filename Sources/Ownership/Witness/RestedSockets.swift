import Model

/// The open sockets whose slots were given back: what they had carried by then was reported.
///
/// Nobody reports when such a socket closes, so they only get fewer by those that come back.
struct RestedSockets: Sendable {
  /// Sockets that did not fit, and those whose earlier payload was left out as they may be one of them, since start.
  private(set) var dropped: UInt64 = 0
  private var keys: Set<UInt64> = []
  private let limit: Int
  /// True where sockets are not all known that had carried something when the ledger began.
  private let isIncomplete: Bool
  private var hasOverflown = false

  /// Remembers at most `limit` of them. With `isIncomplete` every socket may be one.
  init(limit: Int, isIncomplete: Bool) {
    self.limit = limit
    self.isIncomplete = isIncomplete
  }

  /// How many are remembered.
  var count: Int { keys.count }

  /// Notes that the slots of a socket were given back.
  mutating func insert(_ key: UInt64) {
    if keys.contains(key) { return }
    guard keys.count < limit else {
      dropped += 1
      hasOverflown = true
      return
    }
    keys.insert(key)
  }

  /// Takes a socket that is seen for the first time, or again, and has carried `payload`; true where that may have been
  /// reported before.
  mutating func take(_ key: UInt64, carried payload: Usage) -> Bool {
    if keys.remove(key) != nil || isIncomplete { return true }
    guard hasOverflown, !payload.isZero else { return false }
    dropped += 1
    return true
  }
}
