import Model

/// One end of a flow on this host, in this network namespace or another, with the bytes it moved and the sockets that
/// may have moved them.
public struct FlowEnd: Sendable, Hashable {
  /// What this host is to the flow.
  public enum Role: Sendable, Hashable {
    /// It sent the first packet.
    case client
    /// It was sent the first packet.
    case server
    /// It is neither end.
    case passing
  }

  /// The flow.
  public var flow: FlowKey
  /// The bytes, from this end's view.
  public var usage: Usage
  /// What the interfaces of this network namespace moved of the flow, at layer 3; in one of its ends only.
  public var carried: Usage
  /// What this host is to it.
  public var role: Role
  /// What it carries.
  public var transport: TransportProtocol
  /// True when both ends are on this host.
  public var isLocal: Bool
  /// The sockets that fit.
  public var match: SocketIndex.Match
  /// True when a namespace that could not be asked may have the end as well.
  public var isDoubtful = false
  /// True when the flow's counters may lag: the end may have moved more.
  public var isLagging = false
  /// True when these bytes carry a tunnel if no process moved them.
  public var mayCarryTunnel = false
  /// True when each call of a process for this end would have been reported, and none was.
  public var isUnused = false
  /// Which of the interfaces that were asked for these bytes passed; zero for none.
  public var interface: Int32 = 0

  /// True when this end has sent, and not over a connection: only a living process can have.
  var isSentByDatagrams: Bool { usage.sent > 0 && (transport == .udp || transport == .udpLite) }

  /// Whether the kernel itself moved the bytes, since nobody called it to: `owner` is what is found without that. A tunnel's
  /// are, and datagrams that were sent by a socket without a holder; those that came may wait for a call.
  func isKernels(insteadOf owner: Owner) -> Bool {
    guard isUnused else { return false }
    if isCarrier(of: owner) { return true }
    return switch owner {
    case .unattributed(.noHolder), .unattributed(.denied): isSentByDatagrams
    default: false
    }
  }

  /// Who owns bytes for which there never was a socket.
  var ownerWithoutSocket: Owner {
    switch (role, transport) {
    case (.server, .icmp), (.server, .icmpv6): .kernel
    case (_, let transport) where Self.kernelProtocols.contains(transport.rawValue): .kernel
    // Something here sent the first packet; its socket was closed before we looked.
    case (.client, _): .unattributed(.exited)
    default: .unattributed(.noSocket)
    }
  }

  /// IGMP, IP in IP, IPv6 in IP, GRE, ESP, AH and PIM: what the kernel speaks for itself when no raw socket does.
  private static let kernelProtocols: Set<UInt8> = [2, 4, 41, 47, 50, 51, 103]
}

extension SocketIndex.Match {
  /// The inode of the only socket that fits; 0 when there is none or are several.
  var onlyInode: UInt64 {
    switch self {
    case .exact(let socket): socket.inode
    case .bound(let sockets) where sockets.count == 1: sockets[0].inode
    default: 0
    }
  }

  /// True when a socket has exactly these ends, whether or not the address is one of this host's: proxies
  /// may answer for any (ip(7), IP_TRANSPARENT).
  var provesLocality: Bool {
    switch self {
    case .exact(let socket): !socket.local.address.isUnspecified
    case .witnessed(let users): users.haveBothEnds
    default: false
    }
  }

  /// Whether the kernel reported who used the socket.
  var isWitnessed: Bool { if case .witnessed = self { true } else { false } }
}
