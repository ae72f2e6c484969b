import Kernel
import Model

/// Flows, sockets and processes into readings: everything that a monitor decides, without asking Linux.
///
/// Each tick is `advance`, then `claims` with the sockets of `transports`, then `readings` with the holders of
/// the claims' inodes. The sum of all readings and the hidden bytes is the sum of what the flows moved.
public struct Accounting: Sendable {
  private var ledger: FlowLedger
  /// Only where headers are not counted: 24 bytes a flow.
  private var packets: FlowLedger?
  private(set) var attribution = Attribution()
  /// Flows that ended with the last reading: their owners are needed until its bytes are settled.
  private var gone: [FlowKey] = []
  private let layer: Layer
  private var uncounted: UncountedUses
  private var filters: [MonitorFilter]
  private var remainder: Visibility
  /// The pid whose bytes are never shown.
  private let hidden: Int32?
  private var verdicts: [ProcessIdentity: (commandLine: String, visibility: Visibility)] = [:]
  private var abandoned: UInt64 = 0
  /// Flows that left the table without a word, since start.
  public private(set) var unheardEnds: UInt64 = 0
  /// Times that the counters of a flow were zeroed, since start.
  public private(set) var counterResets: UInt64 = 0
  /// The most verdicts that are remembered; they are only made once more.
  private static let verdictLimit = 16_384

  /// Makes the accounting of one or more monitors that look at the same table. A byte counts once if any of
  /// them shows it. `layer` says which bytes are counted. What the process `hidden` moves is counted and not shown.
  public init(
    filters: [MonitorFilter], layer: Layer = .l3, hiding hidden: Int32? = nil,
    seed: UInt64 = .random(in: .min ... .max)
  ) {
    self.filters = filters
    self.hidden = hidden
    self.layer = layer
    uncounted = UncountedUses(seed: seed)
    ledger = FlowLedger(seed: seed)
    packets = layer == .payload ? FlowLedger(of: .packets, seed: seed) : nil
    remainder = Visibility(ofRemainder: filters)
  }

  /// Takes the table as it is at `now`; returns the flows that moved something.
  public mutating func advance(to snapshot: FlowSnapshot, at now: ContinuousClock.Instant) -> [FlowDelta] {
    attribution.forget(gone)
    for sighting in snapshot.sightings { attribution.learn(sighting, of: ledger.key(of: sighting.flow)) }
    attribution.learn(snapshot.descriptions)
    var changes = ledger.advance(to: snapshot, at: now)
    gone = changes.gone
    unheardEnds += UInt64(changes.unheard)
    counterResets += UInt64(changes.resets)
    if attribution.remembersMore(than: ledger.count + gone.count) {
      let sighted = snapshot.sightings.map { ledger.key(of: $0.flow) }
      attribution.keep(Set(ledger.keys).union(gone).union(sighted))
    }
    if let packets = packets?.advance(to: snapshot, at: now) {
      PacketHeaders.note(in: &changes.deltas, packets: packets.deltas, of: snapshot.flows)
    }
    return changes.deltas
  }

  /// The protocols whose sockets are needed to say whose bytes these are; raw sockets where there are no ports.
  public static func transports(of deltas: [FlowDelta], in flows: [Flow]) -> Set<TransportProtocol> {
    var transports = Set(deltas.lazy.map { flows[$0.index].original.transport })
    if transports.contains(where: { !$0.hasPorts }) { transports.insert(.raw) }
    return transports
  }

  /// Returns the ends of these flows on this host with the sockets that fit.
  public func claims(
    of deltas: [FlowDelta], in flows: [Flow], sockets: SocketIndex, local: LocalAddresses,
    namespaces: NamespaceIndex = NamespaceIndex(), carriers: TunnelCarriers = TunnelCarriers(),
    witness: WitnessIndex = WitnessIndex()
  ) -> [Claim] {
    attribution.claims(
      of: deltas, in: flows, sockets: sockets, local: local, namespaces: namespaces, carriers: carriers,
      witness: witness)
  }

  /// The inodes of the sockets that fit, for asking who holds them.
  public static func inodes(of claims: [Claim]) -> Set<UInt64> {
    var inodes = Set<UInt64>(minimumCapacity: min(claims.count, 16_384))
    for claim in claims {
      switch claim.match {
      case .exact(let socket): inodes.insert(socket.inode)
      case .bound(let sockets), .listening(let sockets):
        for socket in sockets { inodes.insert(socket.inode) }
      case .witnessed, .contested, .closing, .none: break
      }
    }
    return inodes
  }

  /// Takes what was used until the table was as it is in `snapshot`, where flows moved what `deltas` say; returns what of
  /// it no entry counts, or will.
  mutating func uncounted(
    _ uses: [WitnessNews.Use], in snapshot: FlowSnapshot, moved deltas: [FlowDelta],
    _ place: UncountedUses.Place,
    at now: ContinuousClock.Instant
  ) -> [WitnessNews.Use] {
    uncounted.advance(by: uses, snapshot, moved: deltas, place, at: now)
  }

  /// Returns what each owner moved, and the balance. Beside the claims on flows, `uncounted` is what was used of sockets
  /// without one; of these, the peer is here where `local` has its address.
  ///
  /// `holders` has the processes that hold the claims' inodes, oldest first; `isDenied` says that some could not
  /// be read. `describe` is asked once for each process; one that it does not know has exited unseen.
  public mutating func readings(
    of claims: [Claim], uncounted: [WitnessNews.Use] = [], local: LocalAddresses = LocalAddresses([]),
    holders: [UInt64: [ProcessIdentity]], isDenied: Bool,
    describe: (ProcessIdentity) -> ProcessDescription?
  ) -> (readings: [Reading], balance: Balance) {
    var balance = Balance()
    var moved: [Owner: SplitUsage] = [:]
    let ended = Set(gone)
    for claim in claims {
      if claim.isLocal { balance.loopback += claim.usage }
      if case .witnessed(let users) = claim.match {
        for (finding, usage) in attribution.settle(claim, among: users) {
          var finding = finding
          if claim.isLagging { finding.certainty.match = .relaxed }
          moved[finding.owner, default: SplitUsage()].add(
            usage, isLocal: claim.isLocal, isCarrier: claim.isCarrier(of: finding.owner), finding.certainty)
        }
        continue
      }
      var finding = attribution.settle(
        claim, holders: holders, isDenied: isDenied, hasEnded: !ended.isEmpty && ended.contains(claim.flow))
      // Of these bytes only: once its counters are whole the owner is as sure as before.
      if claim.isLagging { finding.certainty.match = .relaxed }
      moved[finding.owner, default: SplitUsage()].add(
        claim.usage, isLocal: claim.isLocal, isCarrier: claim.isCarrier(of: finding.owner),
        finding.certainty)
    }
    for use in uncounted {
      // Of a socket without a peer only its own address tells.
      let isLocal =
        use.socket.local.address.isLoopback
        || use.socket.remote.port != 0 && local.contains(use.socket.remote.address)
      if isLocal { balance.loopback += use.usage }
      if layer == .l3 { balance.payload += use.usage }
      moved[use.isKernel ? .kernel : .process(use.process), default: SplitUsage()].add(
        use.usage, isLocal: isLocal, Certainty(isPayload: layer == .l3))
    }
    var readings: [Reading] = []
    readings.reserveCapacity(moved.count)
    for (owner, usage) in moved {
      let reading = reading(owner, usage, describe)
      balance.add(usage.all, of: reading.owner)
      if reading.usage != usage.all { balance.hidden += usage.all - reading.usage }
      if !reading.usage.isZero { readings.append(reading) }
    }
    return (readings, balance)
  }

  /// Returns what of the bytes that no flow explains is shown, as those of `process` or of nobody, and adds the rest
  /// to the hidden ones of `balance`.
  public mutating func reading(
    untracked usage: Usage, of process: ProcessDescription?,
    _ certainty: Certainty = Certainty(match: .relaxed), balance: inout Balance
  ) -> Reading {
    var split = SplitUsage()
    split.add(usage, isLocal: false, certainty)
    let owner = process.map { Owner.process($0.identity) } ?? .untracked
    let reading = reading(owner, split) { _ in process }
    balance.hidden += usage - reading.usage
    return reading
  }

  /// Takes what processes run that used sockets, for those that /proc does not show any more.
  public mutating func learn(_ descriptions: [ProcessIdentity: ProcessDescription]) {
    attribution.learn(descriptions)
  }

  /// The flows with an end of which it is not known yet whose it is, in this network namespace or another: neither did
  /// the kernel tell, nor was it found before.
  public func unknown(
    _ deltas: [FlowDelta], in flows: [Flow], local addresses: LocalAddresses, witness: WitnessIndex
  ) -> (here: [FlowDelta], elsewhere: [FlowDelta]) {
    var unknown: (here: [FlowDelta], elsewhere: [FlowDelta]) = ([], [])
    for delta in deltas {
      let flow = flows[delta.index]
      var (here, elsewhere) = (false, false)
      for (role, tuple) in [(Claim.Role.client, flow.original), (.server, flow.reply)]
      where !attribution.isKnown(delta.key, role) {
        let (local, remote) = (tuple.source, tuple.destination)
        if addresses.contains(local.address) {
          here = here || witness.users(tuple.transport, local: local, remote: remote) == nil
        } else {
          elsewhere =
            elsewhere || witness.usersElsewhere(tuple.transport, local: local, remote: remote) == nil
        }
      }
      if here { unknown.here.append(delta) }
      if elsewhere { unknown.elsewhere.append(delta) }
    }
    return unknown
  }

  /// Takes processes that had ended when the last reading was made: no datagram that left since is theirs.
  public mutating func retire(_ processes: [ProcessIdentity]) { attribution.retire(processes) }

  /// Shows from now on what these filters show.
  public mutating func use(_ filters: [MonitorFilter]) {
    self.filters = filters
    remainder = Visibility(ofRemainder: filters)
    verdicts.removeAll(keepingCapacity: true)
  }

  /// True when something of what the process moves is shown under this name.
  public mutating func shows(_ process: ProcessDescription) -> Bool { visibility(of: process) != .none }

  /// Forgets processes that have ended.
  public mutating func forget(_ exited: some Sequence<ProcessIdentity>) {
    for process in exited { verdicts[process] = nil }
  }

  /// Searches of the filters' patterns that were given up, since start.
  public var abandonedSearches: UInt64 { abandoned }

  private mutating func reading(
    _ owner: Owner, _ usage: SplitUsage, _ describe: (ProcessIdentity) -> ProcessDescription?
  ) -> Reading {
    guard case .process(let identity) = owner else {
      return Reading(owner: owner, usage: remainder.shown(usage))
    }
    var description = describe(identity)
    // Of one that has ended and was not waited for /proc has no command line any more.
    if description?.arguments.isEmpty ?? true, let known = attribution.description(of: identity) {
      description = known
    }
    guard let process = description else {
      return Reading(owner: .unattributed(.exited), usage: remainder.shown(usage))
    }
    return Reading(
      owner: owner, process: process, usage: visibility(of: process).shown(usage), certainty: usage.certainty)
  }

  /// Remembered until the process ends or runs something else.
  private mutating func visibility(of process: ProcessDescription) -> Visibility {
    if process.identity.pid == hidden { return .none }
    if let known = verdicts[process.identity], known.commandLine == process.commandLine {
      return known.visibility
    }
    let visibility = Visibility(filters, of: process.commandLine, abandoned: &abandoned)
    // Bytes that come after the end of their process would keep its verdict for ever.
    if verdicts.count >= Self.verdictLimit { verdicts.removeAll(keepingCapacity: true) }
    verdicts[process.identity] = (process.commandLine, visibility)
    return visibility
  }
}
