import Model
import Netfilter
import Ownership

/// What processes moved through sockets whose connections the table does not count: those that it does not track, and
/// those whose entries have no counters.
///
/// The program reports a call when it returns. The table is read a moment before, so an entry that is made in between is
/// known with the next reading only. What no entry explains waits for that reading, so that no byte is counted twice.
struct UncountedUses: Sendable {
  private var tracked: TrackedEnds
  private var waiting: [WitnessReport.Use] = []
  private var isFirst = true

  /// Makes one that knows no entry. `seed` keeps strangers from choosing ports whose pairs collide.
  init(seed: UInt64) { tracked = TrackedEnds(seed: seed) }

  /// Where uses are, and how sure it is that the table will not count them later.
  struct Place: Sendable {
    /// The network namespace of the table.
    var network: UInt64?
    /// Its addresses.
    var local = LocalAddresses([])
    /// Whether what other network namespaces move passes this one.
    var isHost = false
    /// Whether new connections get counters; nil where that is not known.
    var isAccounting: Bool? = true
    /// Whether there is no next reading.
    var isLast = false
  }

  /// Takes the table as it is at `now`, the flows of it that moved something, and what was used until then. Returns the
  /// uses that the table does not count. What was used before the first reading is not reported.
  mutating func advance(
    by uses: [WitnessReport.Use], _ snapshot: FlowSnapshot, moved deltas: [FlowDelta], _ place: Place,
    at now: Instant
  ) -> [WitnessReport.Use] {
    tracked.advance(to: snapshot, moved: deltas, place.local, at: now)
    if isFirst {
      isFirst = false
      return []
    }
    var due = waiting.filter { !tracked.have($0) }
    // With a table that counts nothing, nobody else counts what containers move.
    let takesOthers = place.isHost && tracked.isEmpty
    let found = uses.filter { use in
      !use.usage.isZero && !use.isControl && !tracked.have(use)
        && (use.network == place.network || takesOthers && !use.isOnLoopback)
    }
    let waits = !place.isLast && place.isAccounting != false
    waiting = waits ? found : []
    if !waits { due += found }
    return due
  }

  /// What the interfaces of the table's network namespace moved of these uses.
  ///
  /// What a container moves passes its veth interface on this side, in the other direction, and if it is not for this host
  /// or for another container, a card as well. A process of this host that is its peer has counted the veth already.
  static func carried(by uses: [WitnessReport.Use], _ place: Place) -> Usage {
    let containers = Set(uses.lazy.filter { $0.network != place.network }.map(\.socket.local.address))
    return uses.reduce(.zero) { sum, use in
      if use.network == place.network { return sum + use.usage }
      let peer = use.socket.remote.address
      if place.local.contains(peer) { return sum }
      return sum + use.usage.reversed + (containers.contains(peer) ? .zero : use.usage)
    }
  }
}

extension WitnessReport.Use {
  fileprivate var isOnLoopback: Bool {
    socket.remote.address.isLoopback || socket.local.address.isLoopback
  }

  /// The kernel's own packets of ICMP, which belong to no connection.
  fileprivate var isControl: Bool { isKernel && socket.transport.isICMP }
}

/// The ends of the connections that the table counts.
///
/// An entry whose counters stand still may be a dead one: the rule that asked for tracking is gone. So only an entry that
/// has moved something since the first reading counts. For two readings more all count: what moved just before the first
/// may be taken later.
private struct TrackedEnds: Sendable {
  /// What moved or ended since some time: `ends` are mixed into bits, `ports` come with their protocol.
  private struct Recent {
    var ends: Set<UInt64> = []
    var ports: Set<UInt32> = []
  }

  /// How long an end that is gone, and a port that moves nothing, are remembered: up to twice this. A process may take
  /// payload long after it came.
  private static let memory = Duration.seconds(30)
  /// With more ends than these they are remembered for less.
  private static let limit = 1 << 17

  private let seed: UInt64
  /// Both ends of those that live and have moved something.
  private var living: Set<UInt64> = []
  private var recent: (latest: Recent, before: Recent) = (Recent(), Recent())
  private var since: Instant?
  /// All ends and ports of the first reading, while they are believed.
  private var initial = Recent()
  private var readings = 0
  /// This host's addresses at the latest reading and at the one before: what moved there before one was removed is
  /// reported only now.
  private var local: (latest: LocalAddresses, before: LocalAddresses) = (
    LocalAddresses([]), LocalAddresses([])
  )

  init(seed: UInt64) { self.seed = seed }

  /// True where the table counts nothing.
  var isEmpty: Bool {
    living.isEmpty && initial.ends.isEmpty && recent.latest.ends.isEmpty && recent.before.ends.isEmpty
  }

  /// Takes the table as it is at `now`, and which flows of it have moved something.
  mutating func advance(
    to snapshot: FlowSnapshot, moved deltas: [FlowDelta], _ local: LocalAddresses,
    at now: Instant
  ) {
    readings += 1
    self.local = (local, self.local.latest)
    if readings == 1 {
      since = now
      for flow in snapshot.flows where flow.isCounted {
        initial.ends.formUnion([end(flow.original), end(flow.reply)])
        initial.ports.formUnion(ports(of: flow))
      }
      return
    }
    if readings == 4 { initial = Recent() }
    if let since, now - since >= Self.memory || recent.latest.ends.count > Self.limit {
      recent = (Recent(), recent.latest)
      self.since = now
    }
    if snapshot.closedCount == nil { keep(snapshot) }
    for flow in snapshot.flows[snapshot.livingCount...] where flow.isCounted {
      leave(end(flow.original))
      leave(end(flow.reply))
    }
    // The next connection of the ends of one that has ended may be there already: it comes after that.
    for delta in deltas {
      let flow = snapshot.flows[delta.index]
      guard flow.isCounted else { continue }
      let (client, server) = (end(flow.original), end(flow.reply))
      if delta.index < snapshot.livingCount {
        living.insert(client)
        living.insert(server)
      } else {
        recent.latest.ends.insert(client)
        recent.latest.ends.insert(server)
      }
      recent.latest.ports.formUnion(ports(of: flow))
    }
  }

  private mutating func leave(_ end: UInt64) {
    if living.remove(end) != nil { recent.latest.ends.insert(end) }
  }

  /// Forgets the ends of entries that have left the table without a word.
  private mutating func keep(_ snapshot: FlowSnapshot) {
    var kept: Set<UInt64> = []
    kept.reserveCapacity(living.count)
    for flow in snapshot.flows where flow.isCounted {
      let (client, server) = (end(flow.original), end(flow.reply))
      if living.contains(client) { kept.insert(client) }
      if living.contains(server) { kept.insert(server) }
    }
    living = kept
  }

  /// Whether one of them has the socket. What is sent with an IP header of its own may be any.
  func have(_ use: WitnessReport.Use) -> Bool {
    let socket = use.socket
    if socket.transport == .raw { return !isEmpty }
    guard socket.transport.hasPorts, socket.remote.port != 0 else {
      let port = Self.port(socket.transport, socket.local.port)
      return initial.ports.contains(port) || recent.latest.ports.contains(port)
        || recent.before.ports.contains(port)
    }
    let end = FlowKey.bits(UInt64(socket.transport.rawValue), socket.local, socket.remote, seed: seed)
    return living.contains(end) || recent.latest.ends.contains(end) || recent.before.ends.contains(end)
      || initial.ends.contains(end)
  }

  private func end(_ tuple: FlowTuple) -> UInt64 {
    FlowKey.bits(UInt64(tuple.transport.rawValue), tuple.source, tuple.destination, seed: seed)
  }

  /// The ports of this host's sockets at the ends of `flow`. Those of TCP that move payload all have a peer.
  private func ports(of flow: Flow) -> [UInt32] {
    guard flow.original.transport != .tcp else { return [] }
    let (client, server) = (flow.original, flow.reply)
    var ports: [UInt32] = []
    if [local.latest, local.before].contains(where: { $0.contains(client.source.address) }) {
      ports.append(Self.port(client.transport, client.source.port))
    }
    if [local.latest, local.before].contains(where: { $0.receives(server.source.address) }) {
      ports.append(Self.port(server.transport, server.source.port))
    }
    return ports
  }

  private static func port(_ transport: TransportProtocol, _ port: UInt16) -> UInt32 {
    UInt32(transport.rawValue) << 16 | UInt32(transport.hasPorts ? port : 0)
  }
}
