/// Who moved bytes.
public enum Owner: Sendable, Hashable {
  /// A process of this host.
  case process(ProcessIdentity)
  /// A pipe of ours, by its name.
  case pipe(String)
  /// Another host: these bytes came in and left again.
  case forwarded
  /// The kernel itself: answers to pings, tunnels, sockets that no process holds.
  case kernel
  /// Nobody who can be named, and why.
  case unattributed(Reason)

  /// Why bytes have no owner.
  public enum Reason: String, Sendable, Hashable, CaseIterable {
    /// The socket's process ended, or closed it, before it was seen.
    case exited
    /// More than one process could have moved them.
    case ambiguous
    /// No socket of this host fits the flow.
    case noSocket = "no_socket"
    /// The socket is known, its process may not be read.
    case denied
  }
}
