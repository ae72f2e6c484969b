import CNetfilterConntrack
import Glibc
import Model
import SystemRuntime

/// A minimal listener to new entries of the connection table: TCP, IPv4.
@safe final class FlowEvents {
  private let socket: OpaquePointer
  private var buffer = [UInt8](repeating: 0, count: 65_536)

  init() throws {
    guard let socket = unsafe mnl_socket_open2(12, CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)),
      unsafe mnl_socket_bind(socket, UInt32(NF_NETLINK_CONNTRACK_NEW), 0) == 0
    else { throw KernelError.notPermitted("listening to the connection table") }
    unsafe self.socket = socket
  }

  deinit { unsafe mnl_socket_close(socket) }

  var descriptor: CInt { unsafe mnl_socket_get_fd(socket) }

  /// True when an event waits.
  var hasNext: Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&wait, 1, 0) > 0
  }

  /// The addresses of the next new flow as it was opened; nil when nothing waits.
  func next() -> FlowTuple? {
    let socket = unsafe socket
    // In bounds: the array and its count; the message is inside it while it is parsed.
    return unsafe buffer.withUnsafeMutableBytes { bytes -> FlowTuple? in
      guard let start = bytes.baseAddress, unsafe mnl_socket_recvfrom(socket, start, bytes.count) > 0,
        let entry = unsafe nfct_new()
      else { return nil }
      defer { unsafe nfct_destroy(entry) }
      unsafe nfct_nlmsg_parse(start.assumingMemoryBound(to: nlmsghdr.self), entry)
      func address(_ kind: nf_conntrack_attr) -> IPAddress {
        unsafe IPAddress(v4: UInt32(bigEndian: nfct_get_attr_u32(entry, kind)))
      }
      func port(_ kind: nf_conntrack_attr) -> UInt16 {
        unsafe UInt16(bigEndian: nfct_get_attr_u16(entry, kind))
      }
      return FlowTuple(
        source: Endpoint(address: address(ATTR_ORIG_IPV4_SRC), port: port(ATTR_ORIG_PORT_SRC)),
        destination: Endpoint(address: address(ATTR_ORIG_IPV4_DST), port: port(ATTR_ORIG_PORT_DST)),
        transport: TransportProtocol(rawValue: unsafe nfct_get_attr_u8(entry, ATTR_ORIG_L4PROTO)))
    }
  }
}
