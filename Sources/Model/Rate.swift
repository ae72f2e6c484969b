/// Bytes per time.
public struct Rate: Sendable, Hashable, Comparable {
  /// The rate in bytes per second.
  public var bytesPerSecond: Double

  /// No bytes per second.
  public static let zero = Rate(bytesPerSecond: 0)

  /// A rate given in bytes per second.
  public static func bytesPerSecond(_ value: Double) -> Rate { Rate(bytesPerSecond: value) }

  /// A rate given in units of 1024 bytes per second, which bwmon's files write as kB/s.
  public static func kibibytesPerSecond(_ value: Double) -> Rate { Rate(bytesPerSecond: value * 1024) }

  /// The rate in units of 1024 bytes per second.
  public var kibibytesPerSecond: Double { bytesPerSecond / 1024 }

  /// Orders by bytes per second.
  public static func < (left: Rate, right: Rate) -> Bool { left.bytesPerSecond < right.bytesPerSecond }
}

/// The rate of each direction, from the point of view of the owner.
public struct Rates: Sendable, Hashable {
  /// How fast bytes came to the owner.
  public var received: Rate
  /// How fast the owner sent.
  public var sent: Rate

  /// Makes the rates of the two directions.
  public init(received: Rate, sent: Rate) {
    self.received = received
    self.sent = sent
  }

  /// Nothing moves.
  public static let zero = Rates(received: .zero, sent: .zero)
}

extension Duration {
  /// The duration in seconds, as a floating-point number.
  public var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }

  /// The duration in milliseconds, to the nanosecond: up to a hundred days the nearest number that there is.
  public var inMilliseconds: Double {
    let (seconds, attoseconds) = components
    let nanoseconds = attoseconds / 1_000_000_000
    // 64 bits have room for 285 years, and the conversion of 128 bits takes fifty times as long.
    if seconds.magnitude < 9_000_000_000 { return Double(seconds * 1_000_000_000 + nanoseconds) / 1e6 }
    return Double(Int128(seconds) * 1_000_000_000 + Int128(nanoseconds)) / 1e6
  }
}
