public import Model
import Netfilter
import Ownership

/// The flows that moved something since the tick before, and what was used of sockets that no flow counts.
///
/// A tick has three steps: `Accounting.advance` makes this, `Accounting.ends` makes `MovedEnds` of it, and
/// `Accounting.readings` uses that up. So no step is left out, done twice, or done before another.
public struct MovedFlows: ~Copyable, Sendable {
  /// How much each moved.
  public let deltas: [FlowDelta]
  /// The table, where the places of `deltas` are.
  let snapshot: FlowSnapshot
  /// What no entry counts, or will.
  var uncounted: [WitnessReport.Use] = []

  init(_ deltas: [FlowDelta], in snapshot: FlowSnapshot) {
    self.deltas = deltas
    self.snapshot = snapshot
  }

  /// All flows of the table.
  public var flows: [Flow] { snapshot.flows }

  /// True when nothing moved.
  public var isEmpty: Bool { deltas.isEmpty && uncounted.isEmpty }

  /// True when some of them have counters.
  var hasCounted: Bool {
    for delta in deltas where snapshot.flows[delta.index].isCounted { return true }
    return false
  }

  /// The protocols whose sockets are needed to say whose bytes some of them are; raw sockets where there are no ports.
  public func transports(of deltas: [FlowDelta]) -> Set<TransportProtocol> {
    let flows = flows
    var transports = Set(deltas.lazy.map { flows[$0.index].original.transport })
    if transports.contains(where: { !$0.hasPorts }) { transports.insert(.raw) }
    return transports
  }
}

/// The ends of the flows that moved something, on this host, with the sockets that fit.
public struct MovedEnds: ~Copyable, Sendable {
  /// The ends.
  public let ends: [FlowEnd]
  /// What was used of sockets that no flow counts, as in `MovedFlows`.
  let uncounted: [WitnessReport.Use]
  /// The addresses of this host.
  let local: LocalAddresses
  /// The interfaces that were asked for.
  let paths: PathInterfaces

  init(_ ends: [FlowEnd], uncounted: [WitnessReport.Use], local: LocalAddresses, paths: PathInterfaces) {
    self.ends = ends
    self.uncounted = uncounted
    self.local = local
    self.paths = paths
  }

  /// What the interfaces moved of these flows.
  public var carried: Usage { ends.reduce(.zero) { $0 + $1.carried } }

  /// The inodes of the sockets that fit, for asking who holds them.
  public var inodes: Set<UInt64> {
    var inodes = Set<UInt64>(minimumCapacity: min(ends.count, 16_384))
    for flowEnd in ends {
      switch flowEnd.match {
      case .exact(let socket): inodes.insert(socket.inode)
      case .bound(let sockets), .listening(let sockets):
        for socket in sockets { inodes.insert(socket.inode) }
      case .witnessed, .contested, .closing, .none: break
      }
    }
    return inodes
  }
}
