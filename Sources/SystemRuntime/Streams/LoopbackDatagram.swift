import Glibc
import Model

/// A datagram that a socket sends to itself over the loopback, to see whether the kernel tracks it.
package struct LoopbackDatagram: ~Copyable {
  /// Both of its ends.
  package let endpoint: Endpoint
  private let descriptor: CInt

  /// Sends one to `address`; nil where this host does not have it.
  package init?(to address: IPAddress) {
    let family = address.isV4 ? AF_INET : AF_INET6
    descriptor = socket(family, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var bound = SocketAddress()
    let descriptor = descriptor
    guard descriptor >= 0 else { return nil }
    guard
      unsafe SocketAddress(Endpoint(address: address, port: 0)).with({ unsafe bind(descriptor, $0, $1) })
        == 0,
      unsafe bound.fill({ unsafe getsockname(descriptor, $0, $1) }) == 0, let endpoint = bound.endpoint,
      // In bounds: no bytes.
      unsafe bound.with({ unsafe CInt(clamping: sendto(descriptor, nil, 0, 0, $0, $1)) }) == 0
    else {
      close(descriptor)
      return nil
    }
    self.endpoint = endpoint
  }

  deinit { close(descriptor) }

  /// Whether one of `flows` is this datagram's.
  package func isTracked(in flows: [Flow]) -> Bool {
    flows.contains {
      $0.original.transport == .udp && $0.original.source == endpoint && $0.original.destination == endpoint
    }
  }
}
