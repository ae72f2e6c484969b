import CLinux
import Glibc
public import Model
public import SystemPackage

/// A UDP datagram to a port that nobody has, which needs no privilege: what routers and the destination say of it comes by its
/// socket's error queue (IP_RECVERR of ip(7), ipv6(7)). Closed when its owner goes. No call waits.
public struct TraceDatagram: ~Copyable {
  /// The port that traceroute(8) begins with.
  public static let port: UInt16 = 33_434

  private let file: Descriptor

  /// Sends `payload` bytes to `address`, by way of `hopLimit` routers at most. `zone` is the interface of a link-local address.
  /// Errors: those of socket(2), connect(2) and send(2).
  public init(to address: IPAddress, zone: UInt32, hopLimit: Int, payload: Int) throws(Errno) {
    let family = EchoSocket.Family(of: address).number
    let number = clinux_udp_probe_socket(family)
    guard number >= 0 else { throw .last }
    let file = Descriptor(owning: number)
    guard clinux_icmp_hop_limit(number, family, CInt(hopLimit)) == 0 else { throw .last }
    let destination = SocketAddress(Endpoint(address: address, port: Self.port), zone: zone)
    guard unsafe destination.with({ unsafe connect(number, $0, $1) }) == 0 else { throw .last }
    let bytes = [UInt8](repeating: 0x40, count: payload)
    // In bounds: the array and its count.
    let sent = unsafe bytes.withUnsafeBytes {
      unsafe Glibc.send(number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
    }
    guard sent == payload else { throw .last }
    self.file = file
  }

  /// The descriptor, for waiting; it stays this datagram's.
  package var descriptor: CInt { file.number }

  /// Takes what was said of it, and calls `body` with each; true where something answered it instead.
  public func receive(into buffer: inout EchoBuffer, _ body: (EchoEnvelope) -> Void) -> Bool {
    while buffer.receive(from: descriptor, errors: true, { body($1) }) > 0 {}
    return buffer.receive(from: descriptor, errors: false, { _, _ in }) > 0
  }
}
