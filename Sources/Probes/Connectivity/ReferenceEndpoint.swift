/// A TCP port of a host that accepts connections while the network is up.
public struct ReferenceEndpoint: Sendable, Hashable {
  /// Why a text is none.
  public struct Problem: Error, Sendable, Hashable {
    /// What follows the text in a sentence.
    public let reason: String
  }

  /// A name or an address, without brackets.
  public let host: String
  /// The port.
  public let port: UInt16

  /// Takes a host, an IPv6 address in brackets or not, and a port.
  public init(host: String, port: UInt16) throws(Problem) {
    let plain = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    if let reason = HostText.reasonNotAHost(plain) { throw Problem(reason: reason) }
    if port == 0 { throw Problem(reason: "has port 0: a port is between 1 and 65535") }
    self.host = plain
    self.port = port
  }

  /// Reads `ADDRESS:PORT`, `NAME:PORT` or `[IPV6]:PORT`.
  public init(_ text: String) throws(Problem) {
    let digits = text.lastIndex(of: ":").map { text[text.index(after: $0)...] } ?? ""
    guard let colon = text.lastIndex(of: ":"), let number = UInt64(digits) else {
      throw Problem(reason: "has no port: write HOST:PORT, an IPv6 address in brackets ([2001:db8::1]:53)")
    }
    guard let port = UInt16(exactly: number) else {
      throw Problem(reason: "has port \(number): a port is between 1 and 65535")
    }
    let host = String(text[..<colon])
    if host.contains(":"), !host.hasPrefix("[") {
      throw Problem(reason: "does not say where the port begins: write [\(host)]:\(port)")
    }
    try self.init(host: host, port: port)
  }
}

extension ReferenceEndpoint: CustomStringConvertible {
  /// `host:port`, an IPv6 address in brackets.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
