/// The latest readings: what an early one of them says is believed once the later ones agree.
///
/// What is read at different moments is not of one moment, and news of flows may come late. A reading has settled when
/// most of a second, and at least one reading more, has passed.
struct SettlingWindow<Reading: Sendable>: Sendable {
  private var entries: [(time: ContinuousClock.Instant, reading: Reading)] = []
  /// The latest entry that has settled; what stands before it settled with the last reading.
  private var settled = 0
  /// Less than a second, so that ticks of a second each settle the one before.
  private static var patience: Duration { .milliseconds(900) }

  /// Takes the reading at `now`.
  mutating func append(_ reading: Reading, at now: ContinuousClock.Instant) {
    entries.removeFirst(settled)
    entries.append((now, reading))
    settled = entries.lastIndex { now - $0.time >= Self.patience } ?? 0
  }

  /// The readings that settled now; none where all that is old enough had settled before.
  var settling: [Reading] { entries[..<(settled + 1)].dropFirst().map(\.reading) }
  /// The latest settled reading and all since.
  var recent: [Reading] { entries[settled...].map(\.reading) }
  /// All readings since the start of the time whose readings settled now; empty where none did.
  var span: [Reading] { settled == 0 ? [] : entries.map(\.reading) }
}
