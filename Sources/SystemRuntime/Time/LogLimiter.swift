import Model

/// Lets the first line of each kind through, and of those that follow one after a second, after two more, after four,
/// at last one a minute; the others are counted. What lasts is said, and fills no log.
package struct LogLimiter: Sendable {
  /// How long a kind is silent after its first line.
  package static let pause = Duration.seconds(1)
  /// How long it is silent at most. After as long without any line the next is a first one again.
  package static let longestPause = Duration.seconds(60)

  private struct Kind {
    var pause = LogLimiter.pause
    var shown: Instant
    var latest: Instant
    var held = 0
  }

  private var kinds: [String: Kind] = [:]

  /// Makes one that has let nothing through.
  package init() {}

  /// Whether a line of `kind` may be written at `now`: nil when not, else how many were held back since the last.
  package mutating func admit(_ kind: String, at now: Instant) -> Int? {
    guard var known = kinds[kind] else {
      kinds[kind] = Kind(shown: now, latest: now)
      return 0
    }
    defer { kinds[kind] = known }
    let isNew = now - known.latest >= Self.longestPause
    known.latest = now
    if !isNew, now - known.shown < known.pause {
      known.held += 1
      return nil
    }
    defer {
      known = Kind(
        pause: isNew ? Self.pause : min(known.pause * 2, Self.longestPause), shown: now, latest: now)
    }
    return known.held
  }
}
