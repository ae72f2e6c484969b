import CLinux
import Glibc
public import Model
public import SystemPackage

/// A UDP socket towards a port that nobody has, which needs no privilege: what routers and the destination say of its datagrams
/// comes by its error queue (IP_RECVERR of ip(7), IPV6_RECVERR of ipv6(7)). All have the same addresses and ports, by which
/// routers tell flows apart. Closed when its owner goes. No call waits.
public struct TraceSocket: ~Copyable {
  /// The port that traceroute(8) begins with.
  public static let port: UInt16 = 33_434

  /// The port that its datagrams come from.
  public let localPort: UInt16

  private let family: EchoSocket.Family
  private let file: Descriptor

  /// Opens a socket that sends to `address`; `zone` is the interface of a link-local one. It sends from `port` where that is
  /// given and free, else from one that the kernel chooses. Errors: those of socket(2) and connect(2).
  public init(to address: IPAddress, zone: UInt32, from port: UInt16?) throws(Errno) {
    family = EchoSocket.Family(of: address)
    let number = clinux_udp_probe_socket(family.number)
    guard number >= 0 else { throw .last }
    let file = Descriptor(owning: number)
    if let port {
      let own = SocketAddress(Endpoint(address: address.isV4 ? .anyV4 : .anyV6, port: port))
      // Who has taken the port meanwhile keeps it: connect(2) chooses another.
      _ = unsafe own.with({ unsafe bind(number, $0, $1) })
    }
    let destination = SocketAddress(Endpoint(address: address, port: Self.port), zone: zone)
    var bound = SocketAddress()
    guard unsafe destination.with({ unsafe connect(number, $0, $1) }) == 0,
      unsafe bound.fill({ unsafe getsockname(number, $0, $1) }) == 0
    else { throw .last }
    localPort = bound.endpoint?.port ?? 0
    self.file = file
  }

  /// The descriptor, for waiting; it stays this socket's.
  package var descriptor: CInt { file.number }

  /// Sends a datagram, by way of `ttl` routers at most. Errors: those of setsockopt(2) and send(2).
  public func send(_ bytes: [UInt8], ttl: Int) throws(Errno) {
    guard clinux_icmp_hop_limit(descriptor, family.number, CInt(ttl)) == 0 else { throw .last }
    for _ in 0..<EchoSocket.mostRetries {
      if sendOnce(bytes) { return }
      // The socket reports the error of an earlier datagram at the next one, and another may come before that is sent.
      file.clearError()
    }
    guard sendOnce(bytes) else { throw .last }
  }

  private func sendOnce(_ bytes: [UInt8]) -> Bool {
    // In bounds: the array and its count.
    unsafe bytes.withUnsafeBytes {
      unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
    } == bytes.count
  }

  /// Takes a batch of what has come, with `errors` from the error queue, and calls `body` with each message; returns how many.
  public func receive(
    errors: Bool, into buffer: inout EchoBuffer, _ body: (RawSpan, EchoEnvelope) -> Void
  ) -> Int {
    buffer.receive(from: descriptor, errors: errors, body)
  }
}
