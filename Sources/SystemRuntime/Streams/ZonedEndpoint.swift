import Glibc
public import Model

/// An endpoint as sockets take it: an IPv6 link-local address means something on one interface only (RFC 4007).
public struct ZonedEndpoint: Sendable, Hashable {
  /// The address and the port.
  public var endpoint: Endpoint
  /// The index of the interface; zero for none.
  public var zone: UInt32

  /// Makes an endpoint, with the index of its interface where it needs one.
  public init(_ endpoint: Endpoint, zone: UInt32 = 0) {
    self.endpoint = endpoint
    self.zone = zone
  }

  /// Whether it can be used: a link-local address without an interface cannot.
  public var isUsable: Bool { zone != 0 || !endpoint.address.isLinkLocalV6 }

  /// Whether the address is this host's on that interface, which is found by binding a socket to it.
  public var isOfThisHost: Bool {
    (try? TCPListener(on: Endpoint(address: endpoint.address, port: 0), zone: zone)) != nil
  }
}

extension ZonedEndpoint: CustomStringConvertible {
  /// `address:port`; with a zone `[address%interface]:port`.
  public var description: String {
    zone == 0
      ? "\(endpoint)" : "[\(endpoint.address)%\(NetworkZone.name(of: zone) ?? "\(zone)")]:\(endpoint.port)"
  }
}

/// Interfaces by their names and numbers (if_nametoindex(3)).
public enum NetworkZone {
  /// The number of the interface that has this name, or is this number; nil when there is none.
  public static func index(of name: String) -> UInt32? {
    let index = unsafe if_nametoindex(name)
    if index != 0 { return index }
    return UInt32(name).flatMap { Self.name(of: $0) == nil ? nil : $0 }
  }

  package static func name(of index: UInt32) -> String? {
    var bytes = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
    // In bounds: the call writes at most IF_NAMESIZE bytes, the last of them zero.
    guard unsafe if_indextoname(index, &bytes) != nil else { return nil }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
