import Model

extension SocketEntry.State {
  /// The state for a number of TCP's (include/net/tcp_states.h), as sock_diag and /proc/net write it; DCCP's are the
  /// same (include/linux/dccp.h), with more for the ways there.
  ///
  /// UDP and raw sockets use the same numbers for connected (1) and unconnected (7) and are always open. A
  /// half-closed TCP socket that a process still holds has an inode: it may still move bytes, so it is open.
  init(number: UInt8, transport: TransportProtocol, inode: UInt64) {
    guard transport == .tcp || transport == .dccp else {
      self = .open
      return
    }
    switch number {
    case 10: self = .listening
    // ESTABLISHED, SYN_SENT, SYN_RECV, CLOSE_WAIT, NEW_SYN_RECV: an inode comes only with accept(2).
    case 1, 2, 3, 8, 12: self = .open
    default: self = inode == 0 ? .closing : .open
    }
  }
}
