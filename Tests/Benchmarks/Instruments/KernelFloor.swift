import CNetlink
import Glibc
import SystemRuntime
import SystemPackage

/// What nobody can be faster than: the same answers of the kernel, received into the same buffer and thrown away.
@safe final class KernelFloor {
  private let socket: OpaquePointer
  private let request: [UInt8]
  private var buffer = [UInt8](repeating: 0, count: 65536)

  /// Asks over netlink; `request` is struct nlmsghdr without the length, and what stands behind it.
  private init(_ family: CInt, _ request: [UInt8]) throws {
    guard let socket = unsafe mnl_socket_open2(family, CInt(SOCK_CLOEXEC.rawValue)),
      unsafe mnl_socket_bind(socket, 0, 0) == 0
    else { throw KernelError.failed("opening a netlink socket", Errno(rawValue: errno)) }
    unsafe self.socket = socket
    self.request = [UInt8(request.count + 4), 0, 0, 0] + request
  }

  deinit { unsafe mnl_socket_close(socket) }

  /// The connection table: IPCTNL_MSG_CT_GET with NLM_F_REQUEST and NLM_F_DUMP, struct nfgenmsg.
  static func connections() throws -> KernelFloor {
    try KernelFloor(NETLINK_NETFILTER, [1, 1, 1, 3, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
  }

  /// The TCP sockets of one address family: SOCK_DIAG_BY_FAMILY, struct inet_diag_req_v2.
  static func sockets(_ family: CInt) throws -> KernelFloor {
    let header: [UInt8] = [20, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, UInt8(family), 6, 0, 0, 0xfe, 0x1f, 0, 0]
    return try KernelFloor(4, header + [UInt8](repeating: 0, count: 48))
  }

  /// Receives a whole dump once.
  func receive() throws {
    let socket = unsafe socket
    buffer[4] = 0
    var count = unsafe request.withUnsafeBytes { unsafe mnl_socket_sendto(socket, $0.baseAddress, $0.count) }
    // NLMSG_DONE comes in a datagram of its own; the type stands behind the length.
    while count > 0, buffer[4] != UInt8(NLMSG_ERROR) {
      count = unsafe buffer.withUnsafeMutableBytes {
        unsafe mnl_socket_recvfrom(socket, $0.baseAddress, $0.count)
      }
      if buffer[4] == UInt8(NLMSG_DONE) { return }
    }
    throw KernelError.failed("receiving a dump", Errno(rawValue: errno))
  }

  /// Lists /proc and asks for the state of each process's descriptors.
  static func listProcesses() throws {
    guard let folder = unsafe opendir("/proc") else { throw KernelError.unsupported("/proc") }
    defer { unsafe closedir(folder) }
    var status = stat()
    while let entry = unsafe readdir(folder) {
      // In bounds: a name has at least its end.
      guard unsafe (0x31...0x39).contains(entry.pointee.d_name.0) else { continue }
      let path = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) + "/fd"
      }
      unsafe fstatat(dirfd(folder), path, &status, 0)
    }
  }
}
