import CNetlink
import Glibc
import Model
import SystemRuntime

/// The kernel's events of the connection table: entries made, and entries that ended with their final counters.
///
/// Needs CAP_NET_ADMIN. UPDATE events, which come with every change of state, are not subscribed to.
package struct ConntrackEvents: ~Copyable {
  /// One event.
  package enum Event {
    /// An entry was made; it has no counters yet.
    case new(Flow)
    /// An entry ended; its counters are final.
    case destroyed(Flow)
  }

  /// A burst of 60,000 new flows needs this much; the kernel charges only what waits.
  package static let receiveBuffer: CInt = 64 << 20

  private var socket: NetlinkSocket
  package private(set) var isReliable = false

  /// Subscribes. The buffer is made `receiveBuffer` bytes where that is allowed, and DESTROY events that do not
  /// fit are delivered later (`setReliable`).
  package init(receiveBuffer: CInt = Self.receiveBuffer) throws(KernelError) {
    let socket = try NetlinkSocket(
      .netfilter, groups: UInt32(NF_NETLINK_CONNTRACK_NEW) | UInt32(NF_NETLINK_CONNTRACK_DESTROY))
    try socket.setReceiveBuffer(receiveBuffer)
    try socket.setNonBlocking()
    self.socket = socket
    setReliable(true)
  }

  /// The descriptor, for waiting.
  package var descriptor: CInt { socket.descriptor }

  /// How much of the receive buffer is in use, 0 to 1.
  package var fill: Double { socket.receiveBufferFill }

  /// Whether the kernel keeps a DESTROY event that does not fit and delivers it later, instead of dropping it and
  /// saying so (NETLINK_BROADCAST_ERROR with NETLINK_NO_ENOBUFS, netlink(7)).
  ///
  /// What it keeps also keeps the entry in the table, so a reader that has stalled must give this up.
  package mutating func setReliable(_ on: Bool) {
    isReliable =
      socket.setOption(NETLINK_BROADCAST_ERROR, on ? 1 : 0)
      && socket.setOption(NETLINK_NO_ENOBUFS, on ? 1 : 0)
      && on
  }

  /// Hands over what has come, in its order, until nothing waits or it was read `limit` times.
  package mutating func receive(limit: Int, _ body: (Event) -> Void) throws(KernelError)
    -> NetlinkSocket.Receipt
  {
    var receipt = NetlinkSocket.Receipt()
    for _ in 0..<limit {
      var malformed: UInt64 = 0
      let look = try socket.receiveManyNow("listening to the connection table") { header, payload in
        guard header.type & 0xff00 == FlowDecoder.subsystem else { return }
        guard let flow = FlowDecoder.decode(payload, malformed: &malformed) else { return }
        switch header.type {
        case FlowDecoder.entryMessage: body(.new(flow))
        case FlowDecoder.deletionMessage: body(.destroyed(flow))
        default: break
        }
      }
      receipt.malformed += malformed
      if !receipt.take(look) { break }
    }
    return receipt
  }
}
