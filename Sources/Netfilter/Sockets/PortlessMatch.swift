import Model

extension TransportProtocol {
  /// True for protocols whose sockets are found by both ports; false for those whose sockets are found by protocol
  /// and address alone.
  public var hasPorts: Bool {
    switch self {
    case .tcp, .udp, .udpLite, .sctp, .dccp: true
    default: false
    }
  }
}

/// What fits an end of a flow whose protocol has no ports: ICMP, GRE, and all else that raw(7) and ping sockets send.
public enum PortlessMatch: Sendable, Hashable {
  /// The ping socket that has the ICMP identifier, which is unique among them.
  case ping(SocketEntry)
  /// Raw sockets of the protocol, or of IPPROTO_RAW: any of them may have sent what no ping socket did.
  case raw([SocketEntry])
  /// None.
  case none

  /// Chooses among `sockets` for the end `local` of a flow whose other end is `remote`. Those that no process holds
  /// any more do not fit.
  public init(
    _ sockets: some Sequence<SocketEntry>, _ transport: TransportProtocol, local: Endpoint, remote: Endpoint
  ) {
    let fitting = sockets.filter {
      ($0.transport == transport || $0.transport == .raw) && $0.inode != 0
        && Self.accepts($0.local.address, local.address, isV6: $0.isV6)
        && ($0.remote.address.isUnspecified || $0.remote.address == remote.address)
    }
    let raw = fitting.filter { $0.local.port == 0 }
    if let ping = fitting.first(where: { $0.local.port != 0 && $0.local.port == local.port }) {
      self = .ping(ping)
    } else {
      self = raw.isEmpty ? .none : .raw(raw)
    }
  }

  /// The sockets that fit.
  public var sockets: [SocketEntry] {
    switch self {
    case .ping(let socket): [socket]
    case .raw(let sockets): sockets
    case .none: []
    }
  }

  private static func accepts(_ bound: IPAddress, _ address: IPAddress, isV6: Bool) -> Bool {
    bound == address || (bound.isUnspecified && isV6 == !address.isV4)
  }
}
