import Model

/// What the interfaces moved and no flow of the connection table explains, since start. It never decreases.
///
/// Interfaces and flows are read one after the other, and the last bytes of a flow may come a reading late. So totals
/// are compared, not intervals, and a difference counts when it was there in two readings in a row; flows that are
/// ahead of the interfaces lower it until those catch up.
public struct UntrackedBytes: Sendable {
  private var interfaces = Usage.zero
  private var flows = Usage.zero
  private var difference = Usage.zero
  private var total = Usage.zero

  /// Makes a comparison that starts at 0.
  public init() {}

  /// Adds what the interfaces moved and what the flows moved through them; returns by how much the untracked bytes
  /// grew.
  public mutating func add(interfaces moved: Usage, flows explained: Usage) -> Usage {
    interfaces += moved
    flows += explained
    let now = Usage(
      received: Self.excess(interfaces.received, flows.received),
      sent: Self.excess(interfaces.sent, flows.sent))
    let lasting = Usage(
      received: min(difference.received, now.received), sent: min(difference.sent, now.sent))
    difference = now
    let growth = Usage(
      received: Self.excess(lasting.received, total.received), sent: Self.excess(lasting.sent, total.sent))
    total += growth
    return growth
  }

  private static func excess(_ left: UInt64, _ right: UInt64) -> UInt64 { left > right ? left - right : 0 }
}
