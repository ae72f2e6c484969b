public import Model

/// An address of this host to listen on, as a user writes it.
public struct BindAddress: Sendable, Hashable {
  /// Why a text is none.
  public struct Problem: Error, Sendable, Hashable {
    /// What follows the text in a sentence.
    public let reason: String
  }

  /// The address.
  public var address: IPAddress
  /// The interface of a link-local address, by name or number; nil for every other.
  public var interface: String?

  /// Reads an address, in brackets or not; behind a link-local one its interface (RFC 4007): `[fe80::1%eth0]`.
  public init(_ text: String) throws(Problem) {
    let plain = PipeConfiguration.withoutBrackets(text)
    let parts = plain.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(parts[0]) else {
      throw Problem(reason: "must be an address of this host, for example 127.0.0.1 or ::1")
    }
    let interface = parts.count > 1 ? String(parts[1]) : nil
    if address.isLinkLocalV6 && interface?.isEmpty ?? true {
      throw Problem(reason: PipeConfiguration.needsInterface(address))
    }
    if !address.isLinkLocalV6 && interface != nil {
      throw Problem(
        reason: "names an interface, which is for link-local addresses (fe80::/10) only: write \(address)")
    }
    self.address = address
    self.interface = interface
  }
}

extension PipeConfiguration {
  /// `text` without the brackets that an IPv6 address may have.
  public static func withoutBrackets(_ text: String) -> String {
    text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
  }

  /// Why `host`, which has no brackets around it any more, can be neither a name nor an address; nil where it can.
  public static func reasonNotAHost(_ host: String) -> String? {
    if host.isEmpty { return "is empty: give a host name or an address" }
    if host.utf8.count > 253 { return "is too long: a host name has at most 253 bytes" }
    let forbidden = host.utf8.first {
      $0 <= 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "/")
    }
    if let (name, port) = hostAndPort(host) {
      return "names a port too: give the host and the port apart, `\(name)` and `\(port)`"
    }
    if host.contains(where: { $0 == "[" || $0 == "]" }) {
      return
        "has brackets that are not around all of it: write an IPv6 address as [2001:db8::1], or without them"
    }
    if forbidden != nil { return "is no host name: it may not contain spaces, slashes or backslashes" }
    let plain = host.hasSuffix("%") ? host.dropLast() : host[...]
    return IPAddress(plain).flatMap { $0.isLinkLocalV6 ? needsInterface($0) : nil }
  }

  static func needsInterface(_ address: IPAddress) -> String {
    "is a link-local address (fe80::/10), which means nothing without its interface: write \(address)%eth0, with the "
      + "interface that leads there"
  }

  private static func hostAndPort(_ text: String) -> (Substring, UInt16)? {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
      return nil
    }
    let name = text[..<colon]
    return !name.contains(":") || name.hasPrefix("[") && name.hasSuffix("]") ? (name, port) : nil
  }
}
