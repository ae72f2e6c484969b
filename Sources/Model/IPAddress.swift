/// An IPv4 or IPv6 address.
///
/// Stored as the 128 bits of IPv6, an IPv4 address as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2), so that
/// a v4-mapped address of a socket and the IPv4 address of its packets are one value.
public struct IPAddress: Sendable, Hashable {
  /// The first eight bytes, in host order.
  public let high: UInt64
  /// The last eight bytes, in host order.
  public let low: UInt64

  /// Makes an address of the two halves of its IPv6 form, in host order.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Makes an IPv4 address of its 32 bits, in host order.
  public init(v4 bits: UInt32) { self.init(high: 0, low: 0xffff_0000_0000 | UInt64(bits)) }

  /// `0.0.0.0`.
  public static let anyV4 = IPAddress(v4: 0)
  /// `::`.
  public static let anyV6 = IPAddress(high: 0, low: 0)

  /// True for IPv4.
  public var isV4: Bool { high == 0 && low >> 32 == 0xffff }

  /// The 32 bits of an IPv4 address in host order, nil for IPv6.
  public var v4Bits: UInt32? { isV4 ? UInt32(truncatingIfNeeded: low) : nil }

  /// True for `0.0.0.0` and `::`, which stand for every address.
  public var isUnspecified: Bool { self == .anyV4 || self == .anyV6 }

  /// True for 127.0.0.0/8 (RFC 1122) and `::1` (RFC 4291).
  public var isLoopback: Bool {
    if let v4Bits { return v4Bits >> 24 == 127 }
    return high == 0 && low == 1
  }

  /// True for 224.0.0.0/4 (RFC 5771) and ff00::/8 (RFC 4291).
  public var isMulticast: Bool {
    if let v4Bits { return v4Bits >> 28 == 0xe }
    return high >> 56 == 0xff
  }

  /// True for fe80::/10 (RFC 4291), whose addresses mean something only together with an interface.
  public var isLinkLocalV6: Bool { high >> 54 == 0x3fa }

  /// True for 255.255.255.255.
  public var isLimitedBroadcast: Bool { v4Bits == .max }
}
