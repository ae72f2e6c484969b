import Model
import Netfilter

/// The sockets of other network namespaces, found by the addresses that those have.
///
/// The host's connection table has a container's flow with neither end local to the host. The container's socket
/// has the original tuple where the host translates the source, and the reply tuple where it translates the
/// destination: the same two tuples by which the host's own sockets are found.
public struct NamespaceIndex: Sendable {
  private var homes: [IPAddress: [UInt64]] = [:]
  private var sockets: [UInt64: SocketIndex] = [:]
  /// False when there are more namespaces, whose addresses are not known.
  public private(set) var isComplete = true

  /// Makes an index without namespaces.
  public init() {}

  /// Makes an index of namespaces by their addresses, without sockets yet. Loopback is nobody's: its flows never
  /// leave a namespace.
  public init(_ addresses: [UInt64: LocalAddresses], isComplete: Bool = true) {
    self.isComplete = isComplete
    for (namespace, addresses) in addresses {
      for address in addresses.addresses where !address.isLoopback {
        homes[address, default: []].append(namespace)
      }
    }
  }

  /// The namespaces that may be an end of these flows: those whose sockets are needed.
  public func concerned(
    by deltas: [FlowDelta], in flows: [Flow], local: LocalAddresses
  ) -> Set<UInt64> {
    if homes.isEmpty { return [] }
    var concerned: Set<UInt64> = []
    for delta in deltas {
      let flow = flows[delta.index]
      for address in [flow.original.source.address, flow.reply.source.address]
      where !local.contains(address) {
        if let namespaces = homes[address] { concerned.formUnion(namespaces) }
      }
    }
    return concerned
  }

  /// Adds the sockets of a namespace.
  public mutating func insert(_ entries: [SocketEntry], of namespace: UInt64) {
    sockets[namespace] = SocketIndex(entries)
  }

  /// Returns what fits the end `local` of a flow whose other end is `remote`; nil when no namespace has its
  /// address. Where several have it, the only one with the nearest fit counts, and two such are contested.
  func match(_ transport: TransportProtocol, local: Endpoint, remote: Endpoint) -> SocketIndex.Match? {
    guard let namespaces = homes[local.address] else { return nil }
    let matches = namespaces.map { namespace in
      sockets[namespace]?.match(transport, local: local, remote: remote) ?? .none
    }
    guard let nearest = matches.map(\.distance).min() else { return nil }
    let fitting = matches.filter { $0.distance == nearest }
    return fitting.count > 1 && nearest <= SocketIndex.Match.contested.distance ? .contested : fitting[0]
  }
}

extension SocketIndex.Match {
  /// How far it is from certain; bound and listening are equally far.
  fileprivate var distance: Int {
    switch self {
    case .exact, .witnessed: 0
    case .bound, .listening, .contested: 1
    case .closing: 2
    case .none: 3
    }
  }
}
