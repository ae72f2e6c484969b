/// A socket as the kernel's diagnostics list it (linux/inet_diag.h, or /proc/net).
public struct SocketEntry: Sendable, Hashable {
  /// How far the socket is; what matters to attribution, not all of TCP's states.
  public enum State: Sendable, Hashable {
    /// Has a peer, or may send and receive.
    case open
    /// Waits for connections.
    case listening
    /// Closed by its process, finished by the kernel (FIN_WAIT, TIME_WAIT, ...): nobody holds it.
    case closing
  }

  /// What it carries.
  public var transport: TransportProtocol
  /// The address family of the socket itself: an IPv6 socket may carry IPv4.
  public var isV6: Bool
  /// True for an IPv6 socket that takes no IPv4 (IPV6_V6ONLY).
  public var isV6Only: Bool
  /// How far it is.
  public var state: State
  /// Its own address and port; unspecified for any address. A ping socket's port is its ICMP identifier.
  public var local: Endpoint
  /// Its peer; unspecified and zero when unconnected.
  public var remote: Endpoint
  /// Its inode in sockfs; zero when no process holds it.
  public var inode: UInt64
  /// The user who made it.
  public var uid: UInt32

  /// Makes an entry.
  public init(
    transport: TransportProtocol, isV6: Bool, isV6Only: Bool = false, state: State = .open,
    local: Endpoint, remote: Endpoint, inode: UInt64, uid: UInt32
  ) {
    self.transport = transport
    self.isV6 = isV6
    self.isV6Only = isV6Only
    self.state = state
    self.local = local
    self.remote = remote
    self.inode = inode
    self.uid = uid
  }
}
