public import Model

/// What the interfaces moved and no flow of the connection table explains, since start. It never decreases.
///
/// Interfaces and flows are read one after the other, and bytes of a flow may come late. So totals are compared, not
/// intervals, and a difference counts when all readings of about a second have it; flows that are ahead of the
/// interfaces lower it until those catch up.
public struct UntrackedBytes: Sendable {
  private struct Reading: Sendable {
    var moved: Usage
    var difference: Usage
  }

  private var interfaces = Usage.zero
  private var flows = Usage.zero
  private var total = Usage.zero
  private var window = SettlingWindow<Reading>()

  /// Makes a comparison that starts at 0.
  public init() {}

  /// Adds what the interfaces moved until `now` and what the flows moved through them; the first call is the start.
  /// Returns by how much the untracked bytes grew, and all that the interfaces moved when those passed.
  public mutating func add(
    interfaces moved: Usage, flows explained: Usage, at now: Instant
  ) -> (growth: Usage, among: Usage) {
    interfaces += moved
    flows += explained
    let difference = Self.excess(interfaces, over: flows)
    window.append(Reading(moved: moved, difference: difference), at: now)
    let lasting = window.recent.reduce(difference) { least, reading in
      Usage(
        received: min(least.received, reading.difference.received),
        sent: min(least.sent, reading.difference.sent))
    }
    let growth = Self.excess(lasting, over: total)
    total += growth
    return (growth, window.settling.reduce(.zero) { $0 + $1.moved })
  }

  private static func excess(_ left: Usage, over right: Usage) -> Usage {
    Usage(
      received: left.received > right.received ? left.received - right.received : 0,
      sent: left.sent > right.sent ? left.sent - right.sent : 0)
  }
}

/// The latest readings: what an early one of them says is believed once the later ones agree.
///
/// What is read at different moments is not of one moment, and events of flows may come late. A reading has settled
/// when most of a second, and at least one reading more, has passed.
struct SettlingWindow<Reading: Sendable>: Sendable {
  private var entries: [(time: Instant, reading: Reading)] = []
  /// The latest entry that has settled; what stands before it settled with the last reading.
  private var settled = 0
  /// Less than a second, so that ticks of a second each settle the one before.
  private static var patience: Duration { .milliseconds(900) }

  /// Takes the reading at `now`.
  mutating func append(_ reading: Reading, at now: Instant) {
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
