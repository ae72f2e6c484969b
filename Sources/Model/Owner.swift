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
  /// Nobody who can be named: the interfaces moved them and the connection table did not see them.
  case untracked

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
    /// The socket is known, and no process that can be seen holds it: the kernel's own, or one handed around.
    case noHolder = "no_holder"
  }
}

/// How sure it is that bytes are their owner's.
public struct Certainty: Sendable, Hashable {
  /// How the owner was found.
  public enum Match: String, Sendable, Hashable {
    /// By the socket that the kernel gives the flow's packets to.
    case exact
    /// By being the only one who can have moved them: the only raw socket, the only listener of a port. Also of an
    /// offloaded flow, whose counters may lag.
    case relaxed
  }

  /// How the owner was found; relaxed if that is so of any of its bytes.
  public var match: Match
  /// True if another process holds one of the sockets as well.
  public var isShared: Bool

  /// True if some of it is payload without headers, where packets are counted with theirs: of connections that the
  /// kernel does not count.
  public var isPayload: Bool

  /// Makes a certainty; without arguments, the full one.
  public init(match: Match = .exact, isShared: Bool = false, isPayload: Bool = false) {
    self.match = match
    self.isShared = isShared
    self.isPayload = isPayload
  }

  /// Of two, what is less sure.
  public static func + (left: Certainty, right: Certainty) -> Certainty {
    Certainty(
      match: left.match == .relaxed ? .relaxed : right.match, isShared: left.isShared || right.isShared,
      isPayload: left.isPayload || right.isPayload)
  }
}
