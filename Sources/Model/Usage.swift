/// Bytes seen in each direction, from the point of view of the owner.
public struct Usage: Sendable, Hashable {
  /// Bytes that came to the owner.
  public var received: UInt64
  /// Bytes that the owner sent.
  public var sent: UInt64

  /// Makes a usage of the given bytes; without arguments, of none.
  public init(received: UInt64 = 0, sent: UInt64 = 0) {
    self.received = received
    self.sent = sent
  }

  /// No bytes in either direction.
  public static let zero = Usage()

  /// True when nothing moved.
  public var isZero: Bool { received == 0 && sent == 0 }

  /// Both directions together, in bytes.
  public var sum: UInt64 { received &+ sent }

  /// The same bytes seen from the other end.
  public var reversed: Usage { Usage(received: sent, sent: received) }

  /// Adds both directions. Counters are 64 bits wide and wrap, as the kernel's do.
  public static func + (left: Usage, right: Usage) -> Usage {
    Usage(received: left.received &+ right.received, sent: left.sent &+ right.sent)
  }

  /// Takes `right` from `left`, which must not be less in either direction.
  public static func - (left: Usage, right: Usage) -> Usage {
    Usage(received: left.received &- right.received, sent: left.sent &- right.sent)
  }

  /// Adds `right` to `left` in place.
  public static func += (left: inout Usage, right: Usage) { left = left + right }

  /// The bytes per second of this usage over `interval`; zero for an interval that is not positive.
  public func rates(over interval: Duration?) -> Rates {
    guard !isZero, let interval, interval > .zero else { return .zero }
    let seconds = interval.inSeconds
    return Rates(
      received: .bytesPerSecond(Double(received) / seconds),
      sent: .bytesPerSecond(Double(sent) / seconds))
  }
}
