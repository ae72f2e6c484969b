import Model
import SystemRuntime

/// The kernel's events of TCP sockets that ended, with the bytes that they carried (sock_diag(7), multicast).
///
/// The second witness beside the connection table: it counts payload, per socket, whether or not conntrack has
/// counters. Needs no privilege; receives the events of this network namespace, and only while it exists. A socket
/// that its own process aborts (SO_LINGER of zero) has lost addresses and counts by then and is not reported.
public struct SocketDestroyEvents: ~Copyable {
  /// A TCP socket's end.
  public struct Event: Sendable, Hashable {
    /// Its own address and port.
    public var local: Endpoint
    /// Its peer's.
    public var remote: Endpoint
    /// The user who made it.
    public var uid: UInt32
    /// The kernel's number for it, never used twice: the one that `SocketLookup` reported.
    public var cookie: UInt64
    /// Bytes of payload from the socket's point of view.
    ///
    /// Sent is exact since Linux 4.19: what was sent, each byte once; before, what was acknowledged. Received is
    /// exact when the peer closed in order; when it aborted it is one byte less, as the count includes the mark
    /// of the orderly end and the kernel does not say whether it came.
    public var payload: Usage
  }

  /// Reads that found events dropped by the kernel for lack of room, since start.
  public private(set) var losses: UInt64 = 0
  /// Messages and attributes that could not be understood, since start.
  public private(set) var malformed: UInt64 = 0

  private static let receiveBuffer: Int32 = 4 << 20
  // SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY (linux/sock_diag.h) are 1 and 3, as bits.
  private static let groups: UInt32 = 1 << 0 | 1 << 2
  private var socket: NetlinkSocket

  /// Subscribes to both address families.
  public init() throws(KernelError) {
    let socket = try NetlinkSocket(.socketDiagnostics, groups: Self.groups)
    try socket.setReceiveBuffer(Self.receiveBuffer)
    try socket.setNonBlocking()
    self.socket = socket
  }

  /// The descriptor, for waiting; it stays this value's.
  public var descriptor: Int32 { socket.descriptor }

  /// Hands over what has come, in its order, until nothing waits or `limit` messages were read; true when nothing
  /// waits.
  public mutating func receive(limit: Int, _ body: (Event) -> Void) throws(KernelError) -> Bool {
    for _ in 0..<limit {
      var counts = SocketDiagnostics.Counts()
      let look = try socket.receiveNow("listening to the ends of sockets") { header, payload in
        guard header.type == SocketDiagnostics.messageType else { return }
        if let event = SocketDiagnostics.decodeEnd(payload, counts: &counts) { body(event) }
      }
      malformed += counts.malformed
      switch look {
      case .nothing: return true
      case .lost: losses += 1
      case .received(let isWhole): if !isWhole { malformed += 1 }
      }
    }
    return false
  }
}
