import Kernel
import Model

/// What processes moved through sockets whose connections the table does not count: those that it does not track, and
/// those whose entries have no counters.
///
/// A call is told when it returns, and the table is read a moment before: an entry that is made in between is known with
/// the next reading only. So what no entry explains waits for that, and no byte is counted twice.
struct UncountedUses: Sendable {
  private var tracked: TrackedEnds
  private var waiting: [WitnessNews.Use] = []

  /// Makes one that knows no entry. `seed` keeps strangers from choosing ports whose pairs collide.
  init(seed: UInt64) { tracked = TrackedEnds(seed: seed) }

  /// Where uses are, and how sure it is that the table will not count them later.
  struct Place: Sendable {
    /// The network namespace of the table.
    var network: UInt64?
    /// Whether what other network namespaces move passes this one.
    var isHost = false
    /// Whether new connections get counters; nil where that is not known.
    var isAccounting: Bool? = true
    /// Whether there is a next reading.
    var isLast = false
  }

  /// Takes the table as it is now, and what was used until then; returns the uses that the table does not count.
  mutating func advance(
    by uses: [WitnessNews.Use], _ snapshot: FlowSnapshot, _ place: Place
  ) -> [WitnessNews.Use] {
    tracked.advance(to: snapshot)
    var due = waiting.filter { !tracked.have($0) }
    // Where nothing is counted here, containers have no other witness. What they move among themselves is theirs.
    let takesOthers = place.isHost && tracked.isEmpty
    let found = uses.filter { use in
      !use.usage.isZero && (use.network == place.network || takesOthers && use.leavesItsHost)
        && !use.isControl
        && !tracked.have(use)
    }
    let waits = !place.isLast && place.isAccounting != false
    waiting = waits ? found : []
    if !waits { due += found }
    return due
  }
}

extension WitnessNews.Use {
  /// Whether the peer is beyond its own network namespace.
  fileprivate var leavesItsHost: Bool {
    !socket.remote.address.isLoopback && !socket.local.address.isLoopback
  }

  /// The kernel's own packets of ICMP, which belong to no connection.
  fileprivate var isControl: Bool { isKernel && socket.transport.isICMP }
}

/// The ends of the connections that the table counts.
private struct TrackedEnds: Sendable {
  private let seed: UInt64
  /// Both ends of those that live, mixed into bits.
  private var living: Set<UInt64> = []
  /// Of those that ended with the last reading and the one before: a process may take payload later.
  private var ended: (latest: Set<UInt64>, before: Set<UInt64>) = ([], [])
  /// Ports, with their protocol: what sockets without a peer use. Those of the last whole reading and all since.
  private var ports: Set<UInt32> = []

  init(seed: UInt64) { self.seed = seed }

  /// True where the table counts nothing.
  var isEmpty: Bool { ports.isEmpty }

  /// Takes the table as it is now.
  mutating func advance(to snapshot: FlowSnapshot) {
    ended = ([], ended.latest)
    if snapshot.closedCount == nil {
      living.removeAll(keepingCapacity: true)
      ports.removeAll(keepingCapacity: true)
    }
    for flow in snapshot.flows[snapshot.livingCount...] where flow.isCounted {
      let (client, server) = bits(flow)
      ended.latest.insert(client)
      ended.latest.insert(server)
      living.remove(client)
      living.remove(server)
      note(flow)
    }
    for flow in snapshot.flows[..<snapshot.livingCount] where flow.isCounted {
      let (client, server) = bits(flow)
      living.insert(client)
      living.insert(server)
      note(flow)
    }
  }

  /// Whether one of them has the socket. What is sent with an IP header of its own may be any.
  func have(_ use: WitnessNews.Use) -> Bool {
    let socket = use.socket
    if socket.transport == .raw { return !isEmpty }
    guard socket.transport.hasPorts, socket.remote.port != 0 else {
      return ports.contains(Self.port(socket.transport, socket.local.port))
    }
    let bits = FlowKey.bits(UInt64(socket.transport.rawValue), socket.local, socket.remote, seed: seed)
    return living.contains(bits) || ended.latest.contains(bits) || ended.before.contains(bits)
  }

  private func bits(_ flow: Flow) -> (client: UInt64, server: UInt64) {
    (bits(flow.original), bits(flow.reply))
  }

  private func bits(_ tuple: FlowTuple) -> UInt64 {
    FlowKey.bits(UInt64(tuple.transport.rawValue), tuple.source, tuple.destination, seed: seed)
  }

  private mutating func note(_ flow: Flow) {
    ports.insert(Self.port(flow.original.transport, flow.original.source.port))
    ports.insert(Self.port(flow.reply.transport, flow.reply.source.port))
  }

  private static func port(_ transport: TransportProtocol, _ port: UInt16) -> UInt32 {
    UInt32(transport.rawValue) << 16 | UInt32(transport.hasPorts ? port : 0)
  }
}
