import Model

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
    interfaces moved: Usage, flows explained: Usage, at now: ContinuousClock.Instant
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
