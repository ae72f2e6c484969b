public import Model
import Netfilter
import Ownership
import SystemRuntime

/// What each process moved since it was last asked: the connection table, the sockets and the processes of this
/// host, brought together.
public final class Monitor: Meter {
  private var sources: MonitorSources
  private var used: UsedSockets
  var untracked: UntrackedOwners
  private var accounting: Accounting
  private var reported = ReportedProcesses()
  private var condition: ConditionWatch
  private let options: MonitorOptions
  private var last: Instant?
  /// Processes that an earlier monitor reported.
  private var adopted: [ProcessIdentity] = []
  private var isLast = false
  /// Addresses of this host: who moved how much through the interfaces that have them is measured from now on.
  public var paths: [IPAddress] = []

  /// How long a namespace may outlive its last process because we look into it.
  private static let longestHold = Duration.seconds(5)

  /// Brings the sources together; nothing is read yet.
  ///
  /// `witness` reports who used which sockets; without it sockets and processes are looked up. What `interfaces` move is
  /// compared with the table. `warnings` are said with the first measurement. `state` asks the kernel for what it says of
  /// its table.
  public init(
    _ sources: consuming MonitorSources, witness: (any SocketWitness)? = nil,
    interfaces: InterfaceTable? = nil, options: MonitorOptions, warnings: [Warning] = [],
    state: @escaping () -> ConntrackState = ConntrackState.read
  ) {
    accounting = Accounting(
      filters: options.filters, layer: options.layer, hiding: options.hidden)
    self.sources = sources
    used = UsedSockets(witness)
    untracked = UntrackedOwners(interfaces)
    condition = ConditionWatch(warnings, state)
    self.options = options
  }

  /// Returns what moved between the last call and `now`; the first time what had moved before.
  ///
  /// Errors: those of reading the connection table, or when /proc cannot be listed.
  public func readings(until now: Instant) throws(KernelError) -> Measurement {
    let interval = last.map { now - $0 }
    try read(until: now, isFirst: interval == nil)
    var moved = accounting.advance(to: sources.snapshot, at: now)
    last = now
    sources.recheck(used.report.renamed)
    var measurement = Measurement(interval: interval, readings: [], exited: takeExited())
    if interval != nil, !moved.isEmpty || !used.report.uses.isEmpty {
      try sources.readAddresses(isFirst: false)
    }
    let place = used.place(sources.local, isAccounting: condition.isAccounting, isLast: isLast)
    if used.isWitnessed || used.isSettling { accounting.add(used.report.uses, to: &moved, place, at: now) }
    let payload = UncountedUses.carried(by: moved.uncounted, place)
    let isTracked = moved.hasCounted
    var carried = Usage.zero
    if !moved.isEmpty && (interval != nil || options.countsLookback) {
      carried = try attribute(moved, isFirst: interval == nil, to: &measurement)
    }
    // What had moved before the start is nothing that the interfaces are asked for.
    compare(with: interval == nil ? .zero : carried + payload, at: now, in: &measurement)
    measurement.renamed = sources.processes.renamed().filter {
      reported.contains($0.identity) && accounting.shows($0)
    }
    if interval.map({ $0 > Self.longestHold }) ?? true { sources.releaseNamespaces() }
    measurement.health = health()
    condition.update(uncounted: measurement.health.uncounted, at: now)
    measurement.health.lostEntries = condition.lostEntries
    if let interval {
      condition.compare(
        measurement.balance.interfaces, tracked: isTracked ? carried : .zero, in: interval,
        isComparable: untracked.failure == nil && !sources.isOffloaded)
    }
    measurement.warnings = condition.changes(
      of: conditions(measurement.health, hasPayload: !payload.isZero))
    return measurement
  }

  /// Has the next reading ask the kernel also for what is believed for some seconds: it is the last.
  public func refresh() {
    condition.refresh()
    isLast = true
  }

  /// Takes new filters; what was counted stays.
  public func use(_ filters: [MonitorFilter]) { accounting.use(filters) }

  /// Takes processes that an earlier monitor reported, so that their end is reported by this one.
  public func adopt(_ processes: [ProcessIdentity]) { adopted += processes }

  /// Reads the table, and what is needed beside it.
  private func read(until now: Instant, isFirst: Bool) throws(KernelError) {
    // Whatever passes between the two readings is at worst explained too well, never untracked.
    if !isFirst { untracked.read(at: now, used) }
    try sources.readTable(at: now)
    // What they moved during the reading of the table included.
    accounting.learn(used.read(at: now, of: sources.networks))
    if used.report.isLast { sources.lookUpOwners() }
    if isFirst {
      untracked.read(at: now, used)
      try sources.readAddresses(isFirst: true)
    }
    try sources.readProcesses(isFirst: isFirst)
  }

  /// Adds who moved what the flows did. Returns what the interfaces moved of these.
  private func attribute(
    _ moved: consuming MovedFlows, isFirst: Bool, to measurement: inout Measurement
  ) throws(KernelError) -> Usage {
    // Only for these a socket has to be found.
    let unknown = accounting.unknown(
      in: moved, local: sources.local, witness: used.isWitnessed ? used.index : nil)
    let entries = try sources.readSockets(moved.transports(of: unknown.here), isFirst: isFirst)
    let namespaces = sources.readNamespaces(of: unknown.elsewhere, moved.transports(of: unknown.elsewhere))
    let ends = accounting.ends(
      of: moved, sockets: SocketIndex(entries), local: sources.local, namespaces: namespaces,
      carriers: TunnelCarriers(of: untracked.interfaces), witness: used.index,
      paths: PathInterfaces(of: paths, sources.local))
    let carried = ends.carried
    let holders = sources.processes.holders(of: ends.inodes)
    let isDenied = sources.processes.denied > 0
    (measurement.readings, measurement.balance, measurement.paths) = accounting.readings(
      of: ends, holders: holders, isDenied: isDenied
    ) { sources.processes.description(of: $0, ancestors: options.wantsAncestors) }
    for case .process(let identity) in measurement.readings.lazy.map(\.owner) {
      reported.add(identity, lives: sources.processes.lives(identity))
    }
    return carried
  }

  /// Adds what the interfaces moved, and what of that the flows do not explain.
  private func compare(
    with carried: Usage, at now: Instant, in measurement: inout Measurement
  ) {
    guard
      let comparison = untracked.compare(with: carried, areCounted: sources.areCounted, at: now)
    else { return }
    measurement.balance.interfaces = comparison.interfaces
    measurement.balance.untracked = comparison.untracked
    var rest = comparison.untracked
    let shares = untracked.shares(of: comparison, used, isFirst: measurement.interval == nil, at: now) {
      sources.processes.holders(of: $0)
    }
    for share in shares {
      guard
        let process = sources.processes.description(of: share.process, ancestors: options.wantsAncestors)
          ?? share.description
      else { continue }
      let usage = Usage(received: 0, sent: share.bytes)
      rest = rest - usage
      reported.add(share.process, lives: sources.processes.lives(share.process))
      measurement.readings.append(
        accounting.reading(
          untracked: usage, of: process, Certainty(match: used.seesFrames ? .exact : .relaxed),
          balance: &measurement.balance))
    }
    if !rest.isZero {
      measurement.readings.append(accounting.reading(untracked: rest, of: nil, balance: &measurement.balance))
    }
    measurement.readings.removeAll(where: \.usage.isZero)
  }

  /// Of the processes that ended since the last tick, those that had moved something.
  private func takeExited() -> [ProcessIdentity] {
    let gone = sources.processes.exited + adopted.filter { !sources.processes.lives($0) }
    for process in adopted { reported.add(process, lives: true) }
    adopted = []
    accounting.forget(gone)
    let (exited, retired) = reported.take(exited: gone)
    accounting.retire(retired)
    return exited
  }

  /// What was seen, and what did not fit or could not be read, since start.
  private func health() -> Health {
    var health = Health()
    sources.add(to: &health)
    used.add(to: &health)
    untracked.add(to: &health)
    health.missedEnds = sources.hasEndEvents ? accounting.missedEnds : 0
    health.counterResets = accounting.counterResets
    health.abandonedSearches = accounting.abandonedSearches
    return health
  }

  /// What makes the numbers less than they could be.
  private func conditions(_ health: Health, hasPayload: Bool) -> Conditions {
    Conditions(
      flows: health.flows, uncounted: health.uncounted, isWitnessed: used.isWitnessed,
      isWitnessLost: used.isLost,
      hasPayload: hasPayload, isOffloaded: sources.isOffloaded, denied: sources.processes.deniedProcesses(),
      unreadNamespaces: health.unreadNamespaces, counterResets: health.counterResets,
      naming: sources.naming, interfaces: untracked.failure, events: sources.eventFailure)
  }
}

/// What a monitor counts and shows.
public struct MonitorOptions: Sendable {
  /// What any of them shows is shown.
  public var filters: [MonitorFilter]
  /// Which bytes are counted.
  public var layer: Layer
  /// Whether the first measurement holds what the table's flows had moved before; otherwise it is empty.
  public var countsLookback: Bool
  /// Whether processes come with the command lines of their ancestors.
  public var wantsAncestors: Bool
  /// The process that is left out of the rows; its bytes stay in the balance.
  public var hidden: Int32?

  /// Makes options.
  public init(
    filters: [MonitorFilter], layer: Layer = .l3, countsLookback: Bool = true, wantsAncestors: Bool = false,
    hiding hidden: Int32? = nil
  ) {
    self.filters = filters
    self.layer = layer
    self.countsLookback = countsLookback
    self.wantsAncestors = wantsAncestors
    self.hidden = hidden
  }
}

/// The processes that readings named, until it was reported that they ended.
struct ReportedProcesses: Sendable {
  private var living: Set<ProcessIdentity> = []
  /// Those that had ended before their bytes were seen, since the last measurement.
  private var ended: [ProcessIdentity] = []
  /// Those that ended between the last two measurements.
  private var leaving: [ProcessIdentity] = []

  /// Notes that a reading names a process. Where it does not live its last bytes came after its end: it is marked with
  /// the next measurement.
  mutating func add(_ process: ProcessIdentity, lives: Bool) {
    if lives { living.insert(process) } else { ended.append(process) }
  }

  /// Whether a reading named it, and it lived.
  func contains(_ process: ProcessIdentity) -> Bool { living.contains(process) }

  /// Takes the processes that ended since the last measurement. Returns those to report as ended with this one, and those
  /// that had ended when the last one was made.
  mutating func take(exited: [ProcessIdentity]) -> (exited: [ProcessIdentity], retired: [ProcessIdentity]) {
    let late = ended
    let retired = leaving + late
    ended = []
    leaving = exited.filter { living.remove($0) != nil }
    return (late + leaving, retired)
  }
}
