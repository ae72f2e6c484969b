import CLinux
import Glibc
public import Model
public import SystemPackage

/// A socket that takes connections; closed when its last owner goes. Several threads may accept from it.
public final class TCPListener: Sendable {
  /// A connection that was accepted.
  public struct Accepted: ~Copyable, Sendable {
    /// Our end.
    public let socket: TCPSocket
    /// Where it comes from.
    public let peer: Endpoint

    /// Our end alone.
    public consuming func intoSocket() -> TCPSocket { socket }
  }

  /// Where it listens; port 0 was replaced by the one that the kernel chose.
  public let local: Endpoint
  /// Where it takes connections: `local`, and 0.0.0.0 beside a `::` that is for IPv4 as well.
  public var places: [Endpoint] {
    guard local.address == .anyV6, Self.get(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY) == 0 else {
      return [local]
    }
    return [local, Endpoint(address: .anyV4, port: local.port)]
  }

  private let file: Descriptor
  // False for one that whoever started us listens at as well.
  private let isOurs: Bool

  /// Listens on `endpoint`; on `::` for IPv4 as well, and on 0.0.0.0 where the kernel has no IPv6.
  ///
  /// `zone` is the index of a link-local address's interface.
  public init(on endpoint: Endpoint, zone: UInt32 = 0) throws(Errno) {
    var endpoint = endpoint
    var number = Self.makeSocket(endpoint)
    if number < 0, errno == EAFNOSUPPORT, endpoint.address == .anyV6 {
      endpoint.address = .anyV4
      number = Self.makeSocket(endpoint)
    }
    guard number >= 0 else { throw Errno.last }
    let file = Descriptor(owning: number)
    Self.set(number, SOL_SOCKET, SO_REUSEADDR, 1)
    if !endpoint.address.isV4 {
      Self.set(number, CInt(IPPROTO_IPV6), IPV6_V6ONLY, endpoint.address == .anyV6 ? 0 : 1)
    }
    guard unsafe SocketAddress(endpoint, zone: zone).with({ unsafe bind(number, $0, $1) }) == 0 else {
      throw Errno.last
    }
    guard listen(number, CInt(SOMAXCONN)) == 0 else { throw Errno.last }
    Self.prepare(number)
    local = try Self.name(of: number)
    self.file = file
    isOurs = true
  }

  /// Takes over a listening socket that another process made; fails with `notSocket` where it is none for TCP.
  package init(owning number: CInt) throws(Errno) {
    let file = Descriptor(owning: number)
    guard Self.get(number, SOL_SOCKET, SO_ACCEPTCONN) == 1,
      Self.get(number, SOL_SOCKET, SO_PROTOCOL) == CInt(IPPROTO_TCP)
    else {
      throw .notSocket
    }
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    _ = fcntl(number, F_SETFL, O_NONBLOCK)
    Self.prepare(number)
    local = try Self.name(of: number)
    self.file = file
    isOurs = false
  }

  // A program that another thread is just starting may still have a copy, which would go on listening.
  deinit { if isOurs { _ = shutdown(file.number, CInt(SHUT_RDWR)) } }

  /// The descriptor, for waiting; it stays this listener's.
  package var descriptor: CInt { file.number }

  /// Takes a connection that waits; nil when none does, or it has gone meanwhile.
  ///
  /// Errors: `tooManyOpenFiles`, `tooManyOpenFilesInSystem`, `noMemory` and their like; the connection waits on.
  public func accept() throws(Errno) -> Accepted? {
    var address = SocketAddress()
    // In bounds: the call writes at most one sockaddr_storage.
    let number = unsafe clinux_accept(descriptor, &address.storage)
    if number >= 0 {
      let unknown = Endpoint(address: .anyV6, port: 0)
      return Accepted(socket: TCPSocket(owning: number), peer: address.endpoint ?? unknown)
    }
    let error = Errno.last
    switch error {
    case .wouldBlock, .interrupted, .connectionAbort, .notPermitted: return nil
    // Errors of the network that belong to the connection which was to be accepted (accept(2)).
    case .networkDown, .hostIsDown, .noRouteToHost, .networkUnreachable, .connectionReset: return nil
    default: throw error
    }
  }

  private static func makeSocket(_ endpoint: Endpoint) -> CInt {
    clinux_stream_socket(endpoint.address.isV4 ? AF_INET : AF_INET6)
  }

  /// Accepted sockets inherit the option, which saves a call for each.
  private static func prepare(_ number: CInt) { set(number, CInt(IPPROTO_TCP), TCP_NODELAY, 1) }

  private static func set(_ number: CInt, _ level: CInt, _ name: CInt, _ value: CInt) {
    var value = value
    // In bounds: the kernel reads one number.
    _ = unsafe setsockopt(number, level, name, &value, socklen_t(MemoryLayout<CInt>.size))
  }

  private static func get(_ number: CInt, _ level: CInt, _ name: CInt) -> CInt {
    var value: CInt = -1
    var length = socklen_t(MemoryLayout<CInt>.size)
    // In bounds: the kernel writes one number.
    return unsafe getsockopt(number, level, name, &value, &length) == 0 ? value : -1
  }

  private static func name(of number: CInt) throws(Errno) -> Endpoint {
    var address = SocketAddress()
    guard unsafe address.fill({ unsafe getsockname(number, $0, $1) }) == 0 else { throw Errno.last }
    guard let endpoint = address.endpoint else { throw .addressFamilyNotSupported }
    return endpoint
  }
}
