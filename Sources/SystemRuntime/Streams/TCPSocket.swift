import CLinux
import Glibc
public import Model
public import SystemPackage

/// A TCP connection, or one that is being made; closed when its owner goes. No call waits.
public struct TCPSocket: ~Copyable, Sendable {
  private let file: Descriptor

  /// Takes over a connected socket that does not block.
  package init(owning number: CInt) { file = Descriptor(owning: number) }

  /// Starts to connect to `endpoint`: the socket is writable once it is connected, or has failed.
  ///
  /// Small writes go out at once (TCP_NODELAY). With `speaksAtOnce` the first bytes go with the last packet of the
  /// handshake, which waits for them for 200 ms at most (TCP_QUICKACK): one packet less, and the target need not wake
  /// twice. `zone` is the index of a link-local address's interface.
  public init(connectingTo endpoint: Endpoint, zone: UInt32 = 0, speaksAtOnce: Bool = false) throws(Errno) {
    let number = clinux_stream_socket(endpoint.address.isV4 ? AF_INET : AF_INET6)
    guard number >= 0 else { throw Errno.last }
    let file = Descriptor(owning: number)
    Self.set(TCP_NODELAY, CInt(IPPROTO_TCP), of: number)
    if speaksAtOnce { Self.set(TCP_QUICKACK, CInt(IPPROTO_TCP), 0, of: number) }
    let result = unsafe SocketAddress(endpoint, zone: zone).with { unsafe connect(number, $0, $1) }
    if result < 0, errno != EINPROGRESS { throw Errno.last }
    self.file = file
  }

  /// The descriptor, for waiting; it stays this socket's.
  package var descriptor: CInt { file.number }

  /// Receives at most `limit` bytes into the start of `buffer`; with `peeks` they stay to be received again.
  public func receive(into buffer: inout [UInt8], atMost limit: Int, peeks: Bool = false) -> Transfer {
    let number = descriptor
    return Transfer(
      unsafe buffer.withUnsafeMutableBytes { bytes in
        // In bounds: at most the array's own count.
        unsafe recv(number, bytes.baseAddress, min(limit, bytes.count), peeks ? CInt(MSG_PEEK) : 0)
      })
  }

  /// Sends the bytes of `buffer` in `range`, as many as the kernel takes now.
  public func send(_ buffer: borrowing [UInt8], _ range: Range<Int>) -> Transfer {
    guard range.lowerBound >= 0, range.upperBound <= buffer.count, !range.isEmpty else { return .wouldBlock }
    let number = descriptor
    return Transfer(
      unsafe buffer.withUnsafeBytes { bytes in
        // In bounds: the range lies within the array.
        let start = unsafe bytes.baseAddress.map { unsafe $0 + range.lowerBound }
        return unsafe Glibc.send(number, start, range.count, CInt(MSG_NOSIGNAL))
      })
  }

  /// Notifies the peer that nothing more comes from here; receiving goes on.
  public func finishSending() { _ = shutdown(descriptor, CInt(SHUT_WR)) }

  /// Makes the coming close a reset: the peer sees an error, not an end, and unsent bytes are dropped.
  public func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    // In bounds: the kernel reads one structure.
    _ = unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  /// Has the kernel find out some day that the peer has vanished (SO_KEEPALIVE of socket(7)), which takes a timer.
  public func keepAlive() { Self.set(SO_KEEPALIVE, SOL_SOCKET, of: descriptor) }

  /// Receives urgent data from now on in its place among the others (SO_OOBINLINE of socket(7)).
  public func keepUrgentInline() { Self.set(SO_OOBINLINE, SOL_SOCKET, of: descriptor) }

  /// How many of the bytes that were sent the peer's kernel has not confirmed (SIOCOUTQ of tcp(7)).
  public var unacknowledged: Int {
    var count: CInt = 0
    // In bounds: the kernel writes one number.
    return unsafe ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
  }

  /// Why it failed since this was last asked; nil when it did not.
  public func takeError() -> Errno? {
    var code: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    // In bounds: the kernel writes one number.
    let result = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    if result < 0 { return Errno.last }
    return code == 0 ? nil : Errno(rawValue: code)
  }

  /// This end; nil when the socket is not bound.
  public var local: Endpoint? {
    var address = SocketAddress()
    let number = descriptor
    return unsafe address.fill { unsafe getsockname(number, $0, $1) } == 0 ? address.endpoint : nil
  }

  /// The other end; nil when the socket is not connected.
  public var remote: Endpoint? {
    var address = SocketAddress()
    let number = descriptor
    return unsafe address.fill { unsafe getpeername(number, $0, $1) } == 0 ? address.endpoint : nil
  }

  private static func set(_ option: CInt, _ level: CInt, _ value: CInt = 1, of number: CInt) {
    var value = value
    // In bounds: the kernel reads one number. A refusal costs speed, not correctness.
    _ = unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
  }
}
