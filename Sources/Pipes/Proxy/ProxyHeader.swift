public import Model

/// What names the client to the target of a forwarder (HAProxy's PROXY protocol, versions 1 and 2).
public struct ProxyHeader: Sendable, Hashable {
  /// The form of the header.
  public enum Version: String, Sendable, Hashable, CaseIterable {
    /// A line of text.
    case v1
    /// Bytes.
    case v2
  }

  /// The connection between the client and the first forwarder.
  public struct Ends: Sendable, Hashable {
    /// The client.
    public var source: Endpoint
    /// What the client connected to.
    public var destination: Endpoint

    /// Makes a connection of its two ends.
    public init(source: Endpoint, destination: Endpoint) {
      self.source = source
      self.destination = destination
    }
  }

  /// The connection; nil for one of the forwarder itself (LOCAL) or of a kind that has no addresses here (UNKNOWN).
  public var ends: Ends?

  /// Makes a header.
  public init(ends: Ends?) { self.ends = ends }

  /// The first twelve bytes of version 2.
  static let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
  /// The first bytes of version 1.
  static let word = Array("PROXY ".utf8)
  /// The longest line of version 1, its end included (section 2.1).
  static let longestLine = 107
  /// The longest header that is read: addresses take 36 bytes, the rest are extensions.
  public static let longest = 4096

  /// The bytes of this header.
  public func encoded(_ version: Version) -> [UInt8] {
    switch version {
    case .v1: Array(line.utf8)
    case .v2: binary
    }
  }

  private var line: String {
    guard let ends else { return "PROXY UNKNOWN\r\n" }
    let isV4 = ends.source.address.isV4 && ends.destination.address.isV4
    let addresses = [ends.source, ends.destination].map { isV4 ? "\($0.address)" : $0.address.textV6 }
    return "PROXY \(isV4 ? "TCP4" : "TCP6") \(addresses[0]) \(addresses[1]) \(ends.source.port) "
      + "\(ends.destination.port)\r\n"
  }

  private var binary: [UInt8] {
    guard let ends else { return Self.signature + [0x20, 0x00, 0, 0] }
    let isV4 = ends.source.address.isV4 && ends.destination.address.isV4
    // Version 2, command PROXY; then the family with STREAM, and the length of what follows.
    var bytes = Self.signature + [0x21, isV4 ? 0x11 : 0x21, 0, isV4 ? 12 : 36]
    for address in [ends.source.address, ends.destination.address] {
      if isV4 {
        bytes += Self.bigEndian(address.low, count: 4)
      } else {
        bytes += Self.bigEndian(address.high, count: 8) + Self.bigEndian(address.low, count: 8)
      }
    }
    for port in [ends.source.port, ends.destination.port] { bytes += Self.bigEndian(UInt64(port), count: 2) }
    return bytes
  }

  private static func bigEndian(_ number: UInt64, count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) }
  }
}

extension IPAddress {
  /// The text of the IPv6 form, an IPv4 address as `::ffff:a.b.c.d`.
  fileprivate var textV6: String { isV4 ? "::ffff:\(self)" : "\(self)" }
}
