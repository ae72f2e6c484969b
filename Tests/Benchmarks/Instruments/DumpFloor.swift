import CNetfilterConntrack
import Glibc
import Kernel
import SystemPackage

/// What nobody can be faster than: the same dump, received into the same buffer and thrown away.
@safe final class DumpFloor {
  private let socket: OpaquePointer
  private var buffer = [UInt8](repeating: 0, count: 65536)

  init() throws {
    guard let socket = unsafe mnl_socket_open2(NETLINK_NETFILTER, CInt(SOCK_CLOEXEC.rawValue)),
      unsafe mnl_socket_bind(socket, 0, 0) == 0
    else { throw KernelError.failed("opening a netlink socket", Errno(rawValue: errno)) }
    unsafe self.socket = socket
  }

  deinit { unsafe mnl_socket_close(socket) }

  /// Receives the table once; returns how many bytes it has.
  func receive() throws -> Int {
    let socket = unsafe socket
    // struct nlmsghdr and struct nfgenmsg: IPCTNL_MSG_CT_GET with NLM_F_REQUEST and NLM_F_DUMP.
    let request: [UInt8] = [20, 0, 0, 0, 1, 1, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    buffer[4] = 0
    var count = unsafe request.withUnsafeBytes { unsafe mnl_socket_sendto(socket, $0.baseAddress, $0.count) }
    var total = 0
    // NLMSG_DONE comes in a datagram of its own; the type stands behind the length.
    while count > 0, buffer[4] != UInt8(NLMSG_ERROR) {
      count = unsafe buffer.withUnsafeMutableBytes {
        unsafe mnl_socket_recvfrom(socket, $0.baseAddress, $0.count)
      }
      total += max(count, 0)
      if buffer[4] == UInt8(NLMSG_DONE) { return total }
    }
    throw KernelError.failed("receiving the connection table", Errno(rawValue: errno))
  }
}
