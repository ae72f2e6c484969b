import Glibc
public import Model

/// The addresses that this host sends from.
public enum SourceAddress {
  /// The address that the kernel takes to send to `destination` as its routes are now; `zone` is the interface of a
  /// link-local one. Nil where there is no route, or no descriptor is to be had. Nothing is sent: a datagram socket that
  /// connects only looks up the route (connect(2), ip(7)).
  public static func towards(_ destination: IPAddress, zone: UInt32 = 0) -> IPAddress? {
    let kind = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(destination.isV4 ? AF_INET : AF_INET6, kind, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    // The discard service's (RFC 863): any would do.
    let peer = SocketAddress(Endpoint(address: destination, port: 9), zone: zone)
    var own = SocketAddress()
    guard unsafe peer.with({ unsafe connect(descriptor, $0, $1) }) == 0,
      unsafe own.fill({ unsafe getsockname(descriptor, $0, $1) }) == 0
    else { return nil }
    return own.endpoint?.address
  }
}
