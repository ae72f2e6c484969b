import Glibc
import Model
import Netfilter

/// A socket of this process, closed with its owner: what the kernel must tell of it is known.
package final class SocketsOpened {
  package enum Problem: Error { case call(String, CInt) }

  package let descriptor: CInt

  /// Makes a socket and binds it to an address of the given family; port 0 lets the kernel choose.
  package init(
    _ family: CInt, _ type: __socket_type, _ transport: TransportProtocol, bindTo port: UInt16? = 0
  ) throws {
    // Not for the programs that other tests start just now.
    descriptor = socket(family, CInt(type.rawValue | SOCK_CLOEXEC.rawValue), CInt(transport.rawValue))
    guard descriptor >= 0 else { throw Problem.call("socket", errno) }
    guard let port else { return }
    guard family == AF_INET6 ? bindV6(port) : bindV4(port) else { throw Problem.call("bind", errno) }
  }

  private init(accepted: CInt) { descriptor = accepted }

  deinit { close(descriptor) }

  /// The inode that stands in /proc/PID/fd and in the kernel's tables.
  package var inode: UInt64 {
    var status = stat()
    _ = unsafe fstat(descriptor, &status)
    return UInt64(status.st_ino)
  }

  /// Waits until a closed connection has no socket at this end: a program that another test starts just then has a copy
  /// until it runs. A failing test waits two minutes.
  package static func waitForEnd(_ local: Endpoint, _ remote: Endpoint) throws {
    var lookup = try SocketLookup()
    for _ in 0..<120_000 {
      if try lookup.socket(.tcp, local: local, remote: remote)?.socket.inode ?? 0 == 0 { return }
      usleep(1_000)
    }
    throw Problem.call("close", ETIMEDOUT)
  }

  package func listen() { _ = Glibc.listen(descriptor, 4) }

  package func accept() throws -> SocketsOpened {
    let accepted = Glibc.accept(descriptor, nil, nil)
    guard accepted >= 0 else { throw Problem.call("accept", errno) }
    _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
    return SocketsOpened(accepted: accepted)
  }

  /// Sets an option; before binding.
  package func set(_ level: CInt, _ option: CInt, _ value: CInt) {
    var value = value
    _ = unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
  }

  /// Connects to an IPv4 port of this host.
  package func connect(to port: UInt16, at address: UInt32 = 0x7f00_0001) throws {
    let result = unsafe withAddress(address, port) { address, length in
      unsafe Glibc.connect(descriptor, address, length)
    }
    guard result == 0 else { throw Problem.call("connect", errno) }
  }

  /// Sends a datagram to an IPv4 port of this host.
  package func send(_ count: Int, to port: UInt16) throws {
    let bytes = [UInt8](repeating: 7, count: count)
    let result = unsafe withAddress(0x7f00_0001, port) { address, length in
      unsafe sendto(descriptor, bytes, count, 0, address, length)
    }
    guard result == count else { throw Problem.call("sendto", errno) }
  }

  /// The port that the kernel chose.
  package var port: UInt16 {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    // Both families have the port at the same place; the longer structure holds either.
    _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &length)
      }
    }
    return UInt16(bigEndian: address.sin6_port)
  }

  package func bindV6(_ port: UInt16) -> Bool {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
      }
    }
  }

  package func bindV4(_ port: UInt16, _ address: UInt32 = 0x7f00_0001) -> Bool {
    unsafe withAddress(address, port) { address, length in unsafe bind(descriptor, address, length) == 0 }
  }

  private func withAddress<Result>(
    _ bits: UInt32, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = bits.bigEndian
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

}
