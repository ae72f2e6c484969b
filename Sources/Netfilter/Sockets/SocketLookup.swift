import Glibc
import Model
import SystemRuntime
import SystemPackage

/// Asks the kernel for one socket by its addresses (sock_diag(7)), without a walk over all of them.
///
/// The kernel answers from the same tables by which it gives packets to sockets: what it finds is the socket that
/// the flow's packets reach. One pair of system calls, 5 to 10 us. It answers for this thread's network namespace
/// at the time of `init()`. A socket bound to an interface (SO_BINDTODEVICE) is not found this way, nor one of a
/// protocol other than TCP, UDP and UDP-Lite: the dump of `SocketTable` has those.
public struct SocketLookup: ~Copyable {
  /// A socket, and what only its diagnostics report.
  public struct Answer: Sendable, Hashable {
    /// The socket. Its inode is zero while no process holds it: not yet accepted, or closed.
    public var socket: SocketEntry
    /// The kernel's number for it, never used twice (SO_COOKIE of socket(7)); `SocketDestroyEvents` reports it again.
    public var cookie: UInt64
    /// The identifier of its control group, which is the inode of the group's folder; nil where the kernel does not
    /// say.
    public var cgroup: UInt64?
    /// The payload that a TCP socket has carried (see `SocketDestroyEvents`; while it lives, received is one byte
    /// less); nil unless it was asked for, and for what is left of a closed one.
    public var payload: Usage?
    /// Bytes that came and that no process has read, after an end one more until that is read: idiag_rqueue of
    /// sock_diag(7). Of TCP sockets that are connected.
    public var unread: UInt32
  }

  /// Look-ups that were made, since start.
  public private(set) var lookups: UInt64 = 0
  /// Answers that could not be understood, since start.
  public private(set) var malformed: UInt64 = 0

  private static let operation = "asking sock_diag for one socket"
  private var netlink: NetlinkSocket

  /// Opens the socket; needs no privilege.
  public init() throws(KernelError) { netlink = try NetlinkSocket(.socketDiagnostics) }

  /// Opens the socket in another network namespace, the open file /proc/PID/ns/net, which it keeps alive. Needs
  /// CAP_SYS_ADMIN.
  package init(in namespace: borrowing OpenFile) throws(KernelError) {
    netlink = try NetlinkSocket(.socketDiagnostics, in: namespace)
  }

  /// The socket that has this end of a flow: connected to `remote`, or a UDP socket that takes packets from it.
  ///
  /// Never a listener. Nil when there is none, or the kernel has no diagnostics for `transport`. Of several UDP
  /// sockets that share a port (SO_REUSEPORT) it is the one that gets the packets of `remote`.
  public mutating func socket(
    _ transport: TransportProtocol, local: Endpoint, remote: Endpoint, wantsPayload: Bool = false
  ) throws(KernelError) -> Answer? {
    guard let answer = try ask(transport, local, remote, wantsPayload), answer.socket.serves(local, remote)
    else {
      return nil
    }
    return answer
  }

  /// The TCP socket that listens at `local`: for its own address, or for any.
  ///
  /// Of several listeners of one port (SO_REUSEPORT) it is one: which of them accepts is not known before it did.
  public mutating func listener(at local: Endpoint) throws(KernelError) -> Answer? {
    let nobody = Endpoint(address: local.address.isV4 ? .anyV4 : .anyV6, port: 0)
    guard let answer = try ask(.tcp, local, nobody, false), answer.socket.state == .listening,
      answer.socket.local.port == local.port
    else { return nil }
    return answer
  }

  private mutating func ask(
    _ transport: TransportProtocol, _ local: Endpoint, _ remote: Endpoint, _ wantsPayload: Bool
  ) throws(KernelError) -> Answer? {
    guard local.address.isV4 == remote.address.isV4,
      let request = SocketDiagnostics.request(
        of: transport, local: local, remote: remote, wantsPayload: wantsPayload)
    else { return nil }
    lookups += 1
    var answer: Answer?
    var counts = SocketDiagnostics.Counts()
    let refusal = try netlink.ask(request, Self.operation) { type, payload in
      guard type == SocketDiagnostics.messageType else { return }
      answer = SocketDiagnostics.decodeAnswer(payload, of: transport, counts: &counts)
    }
    malformed += counts.malformed
    switch refusal {
    // No such socket; or no diagnostics of this protocol, for which the kernel has the same number.
    case nil, .noSuchFileOrDirectory, .invalidArgument: return answer
    case let errno?: throw NetlinkSocket.error(Self.operation, errno.rawValue)
    }
  }
}

extension SocketEntry {
  /// True when packets between `local` and `remote` are this socket's, and it is no listener.
  fileprivate func serves(_ local: Endpoint, _ remote: Endpoint) -> Bool {
    guard state != .listening, self.local.port == local.port else { return false }
    guard self.local.address == local.address || self.local.address.isUnspecified else { return false }
    return self.remote == remote || (transport != .tcp && self.remote.port == 0)
  }
}
