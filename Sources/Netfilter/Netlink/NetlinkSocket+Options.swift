import CNetlink
import Glibc
import SystemRuntime
import SystemPackage

extension NetlinkSocket {
  /// Makes receiving return at once when nothing waits.
  func setNonBlocking() throws(KernelError) {
    let flags = fcntl(descriptor, F_GETFL)
    guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
      throw .failed("setting up a netlink socket", Errno(rawValue: errno))
    }
  }

  /// Makes the receive buffer `bytes` long; as long as the system allows without CAP_NET_ADMIN (socket(7)).
  func setReceiveBuffer(_ bytes: CInt) throws(KernelError) {
    if set(SOL_SOCKET, SO_RCVBUFFORCE, bytes) || set(SOL_SOCKET, SO_RCVBUF, bytes) { return }
    throw .failed("setting the buffer of a netlink socket", Errno(rawValue: errno))
  }

  /// Sets an option of netlink(7); false where the kernel does not have it.
  func setOption(_ option: CInt, _ value: CInt) -> Bool { set(SOL_NETLINK, option, value) }

  /// How much of the receive buffer is in use, 0 to 1 (SO_MEMINFO: used memory and its limit come first).
  var receiveBufferFill: Double {
    var numbers = [UInt32](repeating: 0, count: 9)
    var size = socklen_t(numbers.count * MemoryLayout<UInt32>.size)
    // In bounds: the kernel writes at most the size it is given, the array's own.
    let result = unsafe getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, &numbers, &size)
    guard result == 0, numbers[1] > 0 else { return 0 }
    return Double(numbers[0]) / Double(numbers[1])
  }

  private func set(_ level: CInt, _ option: CInt, _ value: CInt) -> Bool {
    var value = value
    // In bounds: the kernel reads one number.
    return unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
  }
}
