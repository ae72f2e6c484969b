import Kernel
import Model

/// What each process moved since it was last asked: the connection table, the sockets and the processes of this
/// host, brought together.
public final class Monitor: Meter {
  let table: any FlowTable
  private(set) var sockets: SocketTable
  private(set) var processes: ProcessTable
  var namespaces: NamespaceTable?
  private let addresses: LocalAddressSource
  /// Who used sockets; nil where that is looked up.
  let witness: (any SocketWitness)?
  private var witnessed = WitnessIndex()
  /// What was used since the last reading, and by whom.
  private var news = WitnessNews()
  private var isLast = false
  private(set) var senders = FrameSenders()
  /// What the interfaces moved in the last interval of connections that the table does not count.
  private(set) var payload = Usage.zero
  var interfaces: InterfaceMeter?
  private(set) var accounting: Accounting
  private let countsLookback: Bool
  private let wantsAncestors: Bool
  /// True when /proc has the processes of the whole machine.
  private let seesHost: Bool

  private(set) var snapshot = FlowSnapshot()
  private var entries: [SocketEntry] = []
  private var local = LocalAddresses([])
  /// Times that the sockets or addresses could not be read.
  private(set) var unread: UInt64 = 0
  private(set) var naming = Conditions.Naming.notRead
  private var last: ContinuousClock.Instant?
  private var reported: Set<ProcessIdentity> = []
  /// Processes that had ended before their bytes were seen, since the last measurement.
  private var ended: [ProcessIdentity] = []
  /// Processes that ended between the last two ticks.
  private var leaving: [ProcessIdentity] = []
  private(set) var state: StateReader
  private var board: WarningBoard
  private var tracking = TrackingWatch()
  /// What passed unseen when tracking ended; nil while it works.
  private(set) var untrackedTime: Conditions.Untracked?

  /// How long a namespace may outlive its last process because we look into it.
  private static let longestHold = Duration.seconds(5)

  /// Brings the sources together; nothing is read yet.
  ///
  /// With `countsLookback` the first measurement holds what the table's flows had moved before, otherwise it is
  /// empty. With `wantsAncestors` processes come with the command lines of their ancestors. With `readsNamespaces`
  /// the owners of flows that this network namespace only forwards are looked for in the others. With
  /// `interfaces` what those move is compared with the table. `layer` says which bytes are counted. With `hidesItself`
  /// what this program moves is counted and not shown. `witness` tells who used which sockets; without it sockets and
  /// processes are looked up. `warnings` are said with the first measurement. `state` asks the
  /// kernel for what it says of its table.
  public init(
    table: any FlowTable, sockets: consuming SocketTable, processes: consuming ProcessTable,
    addresses: LocalAddressSource, filters: [MonitorFilter], countsLookback: Bool,
    wantsAncestors: Bool = false, readsNamespaces: Bool = false, interfaces: InterfaceTable? = nil,
    layer: Layer = .l3, hidesItself: Bool = false, witness: (any SocketWitness)? = nil,
    warnings: [Warning] = [],
    state: @escaping () -> ConntrackState = ConntrackState.read
  ) {
    self.table = table
    self.sockets = sockets
    accounting = Accounting(filters: filters, layer: layer, hiding: hidesItself ? processes.ownPid : nil)
    seesHost = processes.seesHost()
    namespaces = readsNamespaces ? NamespaceTable(processes) : nil
    self.processes = processes
    self.addresses = addresses
    self.witness = witness
    self.countsLookback = countsLookback
    self.wantsAncestors = wantsAncestors
    self.state = StateReader(state)
    board = WarningBoard(warnings)
    self.interfaces = interfaces.map { InterfaceMeter($0) }
  }

  /// Returns what moved between the last call and `now`; the first time what had moved before.
  ///
  /// Errors: those of reading the connection table, or when /proc cannot be listed.
  public func readings(until now: ContinuousClock.Instant) throws(KernelError) -> Measurement {
    naming = .notRead
    // Whatever passes between the two readings is at worst explained too well, never untracked.
    if last != nil { readInterfaces(at: now) }
    try table.read(into: &snapshot, at: now)
    readUses(at: now)
    if last == nil { readInterfaces(at: now) }
    if last == nil { local = try addresses.read() }
    do throws(KernelError) { try processes.refresh() } catch {
      // The table's news is taken: it must be counted now.
      if last == nil { throw error }
      note(error)
    }
    let deltas = accounting.advance(to: snapshot, at: now)
    let interval = last.map { now - $0 }
    last = now
    processes.recheck(snapshot.renamed)
    namespaces?.refresh(processes, renamed: snapshot.renamed)
    var measurement = Measurement(interval: interval, readings: [], exited: takeExited())
    var carried = Usage.zero
    let place = placeOfUses
    let uncounted =
      witness == nil
      ? [] : accounting.uncounted(news.uses, in: snapshot, moved: deltas, place, at: now)
    payload = UncountedUses.carried(by: uncounted, place)
    if !(deltas.isEmpty && uncounted.isEmpty) && (interval != nil || countsLookback) {
      carried = try attribute(deltas, uncounted, isFirst: interval == nil, to: &measurement)
    }
    // What had moved before the start is nothing that the interfaces are asked for.
    compare(with: interval == nil ? .zero : carried + payload, at: now, in: &measurement)
    measurement.renamed = processes.renamed().filter {
      reported.contains($0.identity) && accounting.shows($0)
    }
    if interval.map({ $0 > Self.longestHold }) ?? true { namespaces?.release() }
    measurement.health = health()
    state.update(uncounted: measurement.health.uncounted, at: now)
    measurement.health.lostEntries = state.lost
    if let interval {
      let isTracked = deltas.contains { snapshot.flows[$0.index].isCounted }
      watchTracking(measurement.balance.interfaces, isTracked ? carried : .zero, interval)
    }
    measurement.warnings = board.news(of: conditions(measurement.health))
    return measurement
  }

  /// Has the next reading ask the kernel also for what is believed for some seconds: it is the last.
  public func refresh() {
    state.refresh()
    isLast = true
  }

  /// Takes new filters; what was counted stays.
  public func use(_ filters: [MonitorFilter]) { accounting.use(filters) }

  private var placeOfUses: UncountedUses.Place {
    UncountedUses.Place(
      network: witness?.network, local: local, isHost: witness?.isHost ?? false,
      isAccounting: state.state.isAccounting, isLast: isLast)
  }

  /// Returns what the interfaces moved of these flows.
  private func attribute(
    _ deltas: [FlowDelta], _ uncounted: [WitnessNews.Use], isFirst: Bool, to measurement: inout Measurement
  ) throws(KernelError) -> Usage {
    do throws(KernelError) { local = try addresses.read() } catch { note(error) }
    // Only for these a socket has to be found.
    let unknown =
      witness == nil
      ? (here: deltas, elsewhere: deltas)
      : accounting.unknown(deltas, in: snapshot.flows, local: local, witness: witnessed)
    let transports = Accounting.transports(of: unknown.here, in: snapshot.flows)
    do throws(KernelError) { try sockets.read(transports, into: &entries) } catch {
      if isFirst { throw error }
      entries = []
      note(error)
    }
    if case .notRead = naming { naming = .read }
    let claims = accounting.claims(
      of: deltas, in: snapshot.flows, sockets: SocketIndex(entries), local: local,
      namespaces: namespaces(of: unknown.elsewhere, local),
      carriers: TunnelCarriers(of: interfaces?.latest ?? [], seesHost: seesHost), witness: witnessed)
    let holders = processes.holders(of: Accounting.inodes(of: claims))
    let isDenied = processes.denied > 0
    (measurement.readings, measurement.balance) = accounting.readings(
      of: claims, uncounted: uncounted, local: local, holders: holders, isDenied: isDenied
    ) { processes.description(of: $0, ancestors: wantsAncestors) }
    for case .process(let identity) in measurement.readings.lazy.map(\.owner) {
      // Its last bytes come after its end: the row is marked with the next report.
      if processes.lives(identity) { reported.insert(identity) } else { ended.append(identity) }
    }
    return claims.reduce(.zero) { $0 + $1.carried }
  }

  /// Takes what the interfaces moved, and how much of it tracked and counted flows did.
  private func watchTracking(_ moved: Usage, _ tracked: Usage, _ interval: Duration) {
    let isOffloaded = snapshot.flows.contains(where: \.isOffloaded)
    let reading = TrackingWatch.Reading(
      interval: interval, moved: moved.received + moved.sent, tracked: tracked.received + tracked.sent,
      isComparable: interfaces?.failure == nil && state.state.isAccounting != false && !isOffloaded)
    switch tracking.update(reading) {
    case .nothing: break
    case .ended(let bytes, let time): untrackedTime = Conditions.Untracked(bytes: bytes, time: time)
    case .returned: untrackedTime = nil
    }
  }

  /// Takes who used sockets, what they moved during the reading of the table included.
  private func readUses(at now: ContinuousClock.Instant) {
    // Those of other network namespaces are other hosts' to who does not look there.
    guard let witness else { return }
    let before = news.descriptions
    news = witness.news(at: now, of: namespaces == nil ? .own : .all)
    witnessed.advance(by: news.uses, network: witness.network)
    // Payload without an entry is shown one reading later, and needs its process's description then.
    accounting.learn(before.merging(news.descriptions) { $1 })
  }

  private func readInterfaces(at now: ContinuousClock.Instant) {
    if interfaces?.update(at: now) == false { unread += 1 }
  }

  /// Counts what could not be read; the first of a tick may be said. The ledger has moved on: what it counted goes to
  /// whom it belonged before, or to nobody.
  private func note(_ error: KernelError) {
    unread += 1
    if case .notRead = naming { naming = .failed(error) }
  }

  /// Adds what the interfaces moved, and what of that the flows do not explain.
  private func compare(
    with carried: Usage, at now: ContinuousClock.Instant, in measurement: inout Measurement
  ) {
    let areCounted = snapshot.flows.prefix(snapshot.livingCount).allSatisfy {
      $0.isCounted && !$0.isOffloaded
    }
    guard let comparison = interfaces?.compare(flows: carried, areCounted: areCounted, at: now) else {
      return
    }
    measurement.balance.interfaces = comparison.interfaces
    measurement.balance.untracked = comparison.untracked
    var rest = comparison.untracked
    for share in frames(comparison, isFirst: measurement.interval == nil, at: now) {
      guard
        let process = processes.description(of: share.process, ancestors: wantsAncestors) ?? share.description
      else { continue }
      let usage = Usage(received: 0, sent: share.bytes)
      rest = rest - usage
      if processes.lives(share.process) {
        reported.insert(share.process)
      } else {
        ended.append(share.process)
      }
      measurement.readings.append(
        accounting.reading(
          untracked: usage, of: process,
          Certainty(match: witness?.seesFrames == true ? .exact : .relaxed), balance: &measurement.balance))
    }
    if !rest.isZero {
      measurement.readings.append(accounting.reading(untracked: rest, of: nil, balance: &measurement.balance))
    }
    measurement.readings.removeAll(where: \.usage.isZero)
  }

  /// Who sent how much of what no flow explains.
  private func frames(
    _ comparison: InterfaceMeter.Comparison, isFirst: Bool, at now: ContinuousClock.Instant
  ) -> [FrameSenders.Share] {
    if witness?.seesFrames == true {
      // What was sent before the first reading the interfaces are not asked for.
      if !isFirst { senders.add(news.frames, describedBy: news.descriptions, at: now) }
      return senders.divide(comparison.untracked.sent, at: now)
    }
    guard let (bytes, sockets) = comparison.sent,
      let owner = PacketSenders.owner(of: sockets, holders: processes.holders(of: sockets))
    else { return [] }
    return [FrameSenders.Share(process: owner, bytes: bytes)]
  }

  /// The other network namespaces that may be an end of these flows, with their sockets.
  private func namespaces(
    of deltas: [FlowDelta], _ local: LocalAddresses
  ) -> NamespaceIndex {
    let transports = Accounting.transports(of: deltas, in: snapshot.flows)
    let addresses = namespaces?.addresses() ?? [:]
    var index = NamespaceIndex(addresses, isComplete: (namespaces?.unread ?? 0) == 0)
    for namespace in index.concerned(by: deltas, in: snapshot.flows, local: local) {
      index.insert(namespaces?.sockets(of: namespace, transports) ?? [], of: namespace)
    }
    return index
  }

  /// Of the processes that ended since the last tick, those that had moved something.
  private func takeExited() -> [ProcessIdentity] {
    let exited = processes.exited
    accounting.forget(exited)
    accounting.retire(leaving + ended)
    leaving = exited.filter { reported.remove($0) != nil }
    defer { ended.removeAll() }
    return ended + leaving
  }
}
