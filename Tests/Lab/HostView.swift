/// Bytes as a host sees them: a byte on the loopback both ways, a forwarded one too.
public struct HostView: Sendable, Hashable {
  /// What came in.
  public var received: UInt64 = 0
  /// What went out.
  public var sent: UInt64 = 0

  /// Makes a view of the given bytes.
  public init(received: UInt64 = 0, sent: UInt64 = 0) {
    self.received = received
    self.sent = sent
  }

  /// The same bytes as the other end sees them.
  public var reversed: HostView { HostView(received: sent, sent: received) }

  /// The bytes of both.
  public static func + (left: Self, right: Self) -> Self {
    HostView(received: left.received + right.received, sent: left.sent + right.sent)
  }

  /// Adds up a connection table for a host with these addresses: the simplest statement of what every balance
  /// must say.
  public init(_ entries: [ConntrackEntry], addresses: Set<String>) {
    for entry in entries {
      let original = entry.original.bytes ?? 0
      let reply = entry.reply.bytes ?? 0
      let opensHere = addresses.contains(entry.original.source)
      let answersHere = addresses.contains(entry.reply.source)
      received += opensHere && !answersHere ? reply : !opensHere && answersHere ? original : original + reply
      sent += opensHere && !answersHere ? original : !opensHere && answersHere ? reply : original + reply
    }
  }
}
