public import Model
import Netfilter
import Ownership

/// Flows, sockets and processes into readings: everything that a monitor decides, without asking Linux.
///
/// Each tick is `advance`, then `ends` with the sockets of the flows' protocols, then `readings` with the holders of the
/// ends' inodes. Each takes what the one before returned. The sum of all readings and the hidden bytes is the sum of what
/// the flows moved.
public struct Accounting: Sendable {
  private var ledger: FlowLedger
  /// Only where headers are not counted: 24 bytes a flow.
  private var packets: FlowLedger?
  private(set) var attribution = Attribution()
  /// Flows that ended with the last reading: their owners are needed until its bytes are settled.
  private var gone: [FlowKey] = []
  private let layer: Layer
  private var uncounted: UncountedUses
  private var verdicts: FilterVerdicts
  /// Flows that left the table without a word, since start.
  public private(set) var missedEnds: UInt64 = 0
  /// Times that the counters of a flow were zeroed, since start.
  public private(set) var counterResets: UInt64 = 0

  /// Makes the accounting of one or more monitors that look at the same table. A byte counts once if any of
  /// them shows it. `layer` says which bytes are counted. What the process `hidden` moves is counted and not shown.
  public init(
    filters: [MonitorFilter], layer: Layer = .l3, hiding hidden: Int32? = nil,
    seed: UInt64 = .random(in: .min ... .max)
  ) {
    verdicts = FilterVerdicts(filters, hiding: hidden)
    self.layer = layer
    uncounted = UncountedUses(seed: seed)
    ledger = FlowLedger(seed: seed)
    packets = layer == .payload ? FlowLedger(of: .packets, seed: seed) : nil
  }

  /// Takes the table as it is at `now`; returns the flows that moved something.
  public mutating func advance(to snapshot: FlowSnapshot, at now: Instant) -> MovedFlows {
    attribution.forget(gone)
    for earlyOwner in snapshot.earlyOwners {
      attribution.learn(earlyOwner, of: ledger.key(of: earlyOwner.flow))
    }
    attribution.learn(snapshot.descriptions)
    var changes = ledger.advance(to: snapshot, at: now)
    gone = changes.gone
    missedEnds += UInt64(changes.missed)
    counterResets += UInt64(changes.resets)
    if attribution.remembersMore(than: ledger.count + gone.count) {
      let early = snapshot.earlyOwners.map { ledger.key(of: $0.flow) }
      attribution.keep(Set(ledger.keys).union(gone).union(early))
    }
    if let packets = packets?.advance(to: snapshot, at: now) {
      PacketHeaders.note(in: &changes.deltas, packets: packets.deltas, of: snapshot.flows)
    }
    return MovedFlows(changes.deltas, in: snapshot)
  }

  /// Takes what was used of sockets until the table was as it is in `moved`, and adds to that what of it no entry counts,
  /// or will.
  mutating func add(
    _ uses: [WitnessReport.Use], to moved: inout MovedFlows, _ place: UncountedUses.Place,
    at now: Instant
  ) {
    moved.uncounted = uncounted.advance(by: uses, moved.snapshot, moved: moved.deltas, place, at: now)
  }

  /// Returns the ends of these flows on this host with the sockets that fit.
  public func ends(
    of moved: consuming MovedFlows, sockets: SocketIndex, local: LocalAddresses,
    namespaces: NamespaceIndex = NamespaceIndex(), carriers: TunnelCarriers = TunnelCarriers(),
    witness: WitnessIndex = WitnessIndex(), paths: PathInterfaces = .none
  ) -> MovedEnds {
    let ends = attribution.ends(
      of: moved.deltas, in: moved.flows, sockets: sockets, local: local, namespaces: namespaces,
      carriers: carriers, witness: witness, paths: paths)
    return MovedEnds(ends, uncounted: moved.uncounted, local: local, paths: paths)
  }

  /// Returns what each owner moved, the balance, and what passed the interfaces that were asked for.
  ///
  /// `holders` has the processes that hold the ends' inodes, oldest first; `isDenied` says that some could not
  /// be read. `describe` is asked once for each process; one that it does not know has exited unseen.
  public mutating func readings(
    of moved: consuming MovedEnds, holders: [UInt64: [ProcessIdentity]], isDenied: Bool,
    describe: (ProcessIdentity) -> ProcessDescription?
  ) -> (readings: [Reading], balance: Balance, paths: [PathUsage]) {
    var balance = Balance()
    var shares: [Owner: OwnerUsage] = [:]
    let ended = Set(gone)
    for flowEnd in moved.ends {
      if flowEnd.isLocal { balance.loopback += flowEnd.usage }
      if case .witnessed(let users) = flowEnd.match {
        attribution.settle(flowEnd, among: users) { attributed, usage in
          var certainty = attributed.certainty
          if flowEnd.isLagging { certainty.match = .relaxed }
          shares[attributed.owner, default: OwnerUsage()].add(
            usage, isLocal: flowEnd.isLocal, isCarrier: flowEnd.isCarrier(of: attributed.owner), certainty,
            through: flowEnd.interface)
        }
        continue
      }
      var attributed = attribution.settle(
        flowEnd, holders: holders, isDenied: isDenied,
        hasEnded: !ended.isEmpty && ended.contains(flowEnd.flow))
      // Of these bytes only: once its counters are whole the owner is as sure as before.
      if flowEnd.isLagging { attributed.certainty.match = .relaxed }
      shares[attributed.owner, default: OwnerUsage()].add(
        flowEnd.usage, isLocal: flowEnd.isLocal, isCarrier: flowEnd.isCarrier(of: attributed.owner),
        attributed.certainty, through: flowEnd.interface)
    }
    for use in moved.uncounted {
      // A socket without a peer is judged by its own address only.
      let isLocal =
        use.socket.local.address.isLoopback
        || use.socket.remote.port != 0 && moved.local.contains(use.socket.remote.address)
      if isLocal { balance.loopback += use.usage }
      if layer == .l3 { balance.payload += use.usage }
      shares[use.isKernel ? .kernel : .process(use.process), default: OwnerUsage()].add(
        use.usage, isLocal: isLocal, Certainty(isPayload: layer == .l3),
        through: isLocal ? moved.paths.loopback : moved.paths.interface(of: use.socket.local.address))
    }
    var readings: [Reading] = []
    readings.reserveCapacity(shares.count)
    var passed: [InterfaceUsage] = []
    for (owner, usage) in shares {
      let reading = reading(owner, usage, describe)
      let all = usage.whole.all
      balance.add(all, of: reading.owner)
      if reading.usage != all { balance.hidden += all - reading.usage }
      if !reading.usage.isZero { readings.append(reading) }
      for part in usage.parts(\.all) { passed.add(part.usage, through: part.interface) }
    }
    return (readings, balance, moved.paths.usages(passed))
  }

  /// Returns what of the bytes that no flow explains is shown, as those of `process` or of nobody, and adds the rest
  /// to the hidden ones of `balance`.
  public mutating func reading(
    untracked usage: Usage, of process: ProcessDescription?,
    _ certainty: Certainty = Certainty(match: .relaxed), balance: inout Balance
  ) -> Reading {
    var split = OwnerUsage()
    // Which interface moved them is not known.
    split.add(usage, isLocal: false, certainty, through: 0)
    let owner = process.map { Owner.process($0.identity) } ?? .untracked
    let reading = reading(owner, split) { _ in process }
    balance.hidden += usage - reading.usage
    return reading
  }

  /// Takes what processes run that used sockets, for those that /proc does not show any more.
  public mutating func learn(_ descriptions: [ProcessIdentity: ProcessDescription]) {
    attribution.learn(descriptions)
  }

  /// The flows with an end whose owner is not known yet, in this network namespace or another: the kernel did not
  /// report it, nor was it found before. Without a witness it has to be found of all.
  public func unknown(
    in moved: borrowing MovedFlows, local addresses: LocalAddresses, witness: WitnessIndex?
  ) -> (here: [FlowDelta], elsewhere: [FlowDelta]) {
    guard let witness else { return (moved.deltas, moved.deltas) }
    var unknown: (here: [FlowDelta], elsewhere: [FlowDelta]) = ([], [])
    let flows = moved.flows
    for delta in moved.deltas {
      let flow = flows[delta.index]
      var (here, elsewhere) = (false, false)
      for (role, tuple) in [(FlowEnd.Role.client, flow.original), (.server, flow.reply)]
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
  public mutating func use(_ filters: [MonitorFilter]) { verdicts.use(filters) }

  /// True when something of what the process moves is shown under this name.
  public mutating func shows(_ process: ProcessDescription) -> Bool {
    verdicts.verdict(on: process) != .none
  }

  /// Forgets processes that have ended.
  public mutating func forget(_ exited: some Sequence<ProcessIdentity>) { verdicts.forget(exited) }

  /// Searches of the filters' patterns that were given up, since start.
  public var abandonedSearches: UInt64 { verdicts.abandoned }

  private mutating func reading(
    _ owner: Owner, _ usage: OwnerUsage, _ describe: (ProcessIdentity) -> ProcessDescription?
  ) -> Reading {
    guard case .process(let identity) = owner else { return remainder(owner, usage) }
    var description = describe(identity)
    // Of one that has ended and was not waited for /proc has no command line any more.
    if description?.arguments.isEmpty ?? true, let known = attribution.description(of: identity) {
      description = known
    }
    guard let process = description else { return remainder(.unattributed(.exited), usage) }
    let verdict = verdicts.verdict(on: process)
    var reading = Reading(
      owner: owner, process: process, usage: verdict.shown(usage.whole), certainty: usage.whole.certainty)
    reading.interfaces = usage.parts(verdict.shown)
    return reading
  }

  private func remainder(_ owner: Owner, _ usage: OwnerUsage) -> Reading {
    var reading = Reading(owner: owner, usage: verdicts.ofRemainder.shown(usage.whole))
    reading.interfaces = usage.parts(verdicts.ofRemainder.shown)
    return reading
  }
}
