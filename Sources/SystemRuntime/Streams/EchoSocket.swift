import CLinux
import Glibc
public import Model
public import SystemPackage

/// A socket for ICMP echo (icmp(7), raw(7)): it sends messages, and receives replies, errors of the path and the kernel's time
/// stamps. Closed when its owner goes. No call waits.
public struct EchoSocket: ~Copyable {
  /// The address family.
  public enum Family: Sendable, Hashable, CaseIterable {
    /// IPv4.
    case v4
    /// IPv6.
    case v6

    /// The family of an address.
    public init(of address: IPAddress) { self = address.isV4 ? .v4 : .v6 }

    var number: CInt { self == .v4 ? AF_INET : AF_INET6 }
  }

  /// What the socket sees.
  public enum Kind: Sendable, Hashable {
    /// Replies to its own requests only; needs no privilege where `net.ipv4.ping_group_range` has the user's group.
    case datagram
    /// All echo replies of this identifier; needs CAP_NET_RAW.
    case raw
  }

  /// How often to send again what is refused: so many errors of earlier requests may come one after the other, as a trace has
  /// no more under way.
  public static let mostRetries = 16

  /// Its address family.
  public let family: Family
  /// What it sees.
  public let kind: Kind
  /// What stands in the identifier of its requests: the kernel writes it into those of a datagram socket.
  public let identifier: UInt16

  private let file: Descriptor
  private var ttl = 0
  /// Whether the kernel stamps what is sent.
  public private(set) var stampsSent = false
  /// Whether the kernel refuses (EMSGSIZE) what is longer than its interface takes, instead of cutting it.
  public private(set) var refusesLong = false

  /// Opens a datagram socket, or where that is not permitted a raw one with `identifier`.
  ///
  /// Errors: EACCES or EPERM where neither is permitted, EAFNOSUPPORT where the family is missing.
  public init(_ family: Family, identifier: UInt16) throws(Errno) {
    self.family = family
    if let datagram = Self.openDatagram(family) {
      file = Descriptor(owning: datagram.number)
      self.identifier = datagram.identifier
      kind = .datagram
      return
    }
    let number = clinux_icmp_socket(family.number, 1)
    guard number >= 0 else { throw .last }
    file = Descriptor(owning: number)
    self.identifier = identifier
    kind = .raw
    // Without the filter more comes, which is told apart by its contents.
    _ = clinux_icmp_filter(number, family.number, identifier)
  }

  /// A datagram socket that is bound: the identifier is its port.
  private static func openDatagram(_ family: Family) -> (number: CInt, identifier: UInt16)? {
    let number = clinux_icmp_socket(family.number, 0)
    guard number >= 0 else { return nil }
    let any = SocketAddress(Endpoint(address: family == .v4 ? .anyV4 : .anyV6, port: 0))
    var bound = SocketAddress()
    guard unsafe any.with({ unsafe bind(number, $0, $1) }) == 0,
      unsafe bound.fill({ unsafe getsockname(number, $0, $1) }) == 0, let endpoint = bound.endpoint
    else {
      close(number)
      return nil
    }
    return (number, endpoint.port)
  }

  /// The descriptor, for waiting; it stays this socket's.
  package var descriptor: CInt { file.number }

  /// What is sent from now on is dropped by the router of this number; 0 for the usual limit.
  public mutating func limitTTL(to limit: Int) {
    guard limit != ttl else { return }
    if clinux_icmp_hop_limit(descriptor, family.number, CInt(limit)) == 0 { ttl = limit }
  }

  /// Whether the kernel stamps what is sent from now on.
  public mutating func stampSent(_ stamps: Bool) {
    guard stamps != stampsSent else { return }
    if clinux_icmp_stamp_sent(descriptor, stamps ? 1 : 0) == 0 { stampsSent = stamps }
  }

  /// Whether the kernel refuses what is too long, IPv4 only: what is never cut needs no number in its IP header, and finding
  /// one takes a twentieth of the time of a ping.
  public mutating func refuseLong(_ refuses: Bool) {
    guard family == .v4, refuses != refusesLong else { return }
    if clinux_icmp_refuse_long(descriptor, refuses ? 1 : 0) == 0 { refusesLong = refuses }
  }

  /// Sends messages from `start` on, `most` of them and a batch at most; returns how many, or why the first was not sent.
  public func send(_ messages: EchoMessages, from start: Int, atMost most: Int) throws(Errno) -> Int {
    guard start < messages.count else { return 0 }
    let (number, family) = (descriptor, family.number)
    let sent = unsafe messages.bytes.withUnsafeBufferPointer { bytes in
      unsafe messages.lengths.withUnsafeBufferPointer { lengths in
        unsafe messages.addresses.withUnsafeBufferPointer { addresses -> CInt in
          guard let bytes = bytes.baseAddress, let lengths = lengths.baseAddress,
            let addresses = addresses.baseAddress
          else { return 0 }
          // In bounds: the three arrays grow together, and `start` is below their count.
          return unsafe clinux_icmp_send(
            number, family, bytes + messages.offsets[start], lengths + start, addresses + start,
            CInt(min(messages.count - start, most, Int(CLINUX_ICMP_BATCH))))
        }
      }
    }
    guard sent >= 0 else { throw .last }
    return Int(sent)
  }

  /// Takes a batch of what has come, with `errors` from the error queue, and calls `body` with each message; returns how many.
  public func receive(
    errors: Bool, into buffer: inout EchoBuffer, _ body: (RawSpan, EchoEnvelope) -> Void
  ) -> Int {
    buffer.receive(from: descriptor, errors: errors, body)
  }

  /// The room for what has come and was not taken, and how much did not fit.
  public struct ReceiveMemory: Sendable, Hashable {
    /// Messages that were dropped, since the socket was made; the counter wraps.
    public var dropped: UInt32
    /// The size of the receive buffer in bytes, with the kernel's own overhead.
    public var room: UInt32

    /// Makes a state.
    public init(dropped: UInt32, room: UInt32) {
      self.dropped = dropped
      self.room = room
    }
  }

  /// How full the receive buffer is (SO_MEMINFO, Linux 4.12; linux/sock_diag.h); nil from an older kernel. SO_RXQ_OVFL of
  /// socket(7) says less: it comes with messages only, and not with those of ping sockets before Linux 5.19.
  public var receiveMemory: ReceiveMemory? {
    var values = [UInt32](repeating: 0, count: 9)
    var length = socklen_t(values.count * MemoryLayout<UInt32>.size)
    // In bounds: the kernel writes at most `length` bytes, the array's size.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, &values, &length) == 0,
      length == values.count * MemoryLayout<UInt32>.size
    else { return nil }
    // SK_MEMINFO_DROPS, SK_MEMINFO_RCVBUF.
    return ReceiveMemory(dropped: values[8], room: values[1])
  }

  /// Forgets an error of the path that the socket would report at the next call; the error queue has it as well.
  public func clearError() { file.clearError() }
}
