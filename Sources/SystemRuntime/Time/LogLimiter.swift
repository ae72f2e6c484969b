import Model

/// Lets one line of each kind through in a second and counts the others.
package struct LogLimiter: Sendable {
  /// How long a kind is silent after a line.
  package static let pause = Duration.seconds(1)

  private struct Kind {
    var last: Instant
    var held = 0
  }

  private var kinds: [String: Kind] = [:]

  /// Makes one that has let nothing through.
  package init() {}

  /// Whether a line of `kind` may be written at `now`: nil when not, else how many were held back since the last.
  package mutating func admit(_ kind: String, at now: Instant) -> Int? {
    guard let known = kinds[kind] else {
      kinds[kind] = Kind(last: now)
      return 0
    }
    if now - known.last < Self.pause {
      kinds[kind]?.held += 1
      return nil
    }
    kinds[kind] = Kind(last: now)
    return known.held
  }
}
