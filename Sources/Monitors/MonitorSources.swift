import Model
public import Netfilter
public import Ownership
public import SystemRuntime

/// What a monitor reads of its host: the connection table, sockets, processes, other network namespaces and addresses.
///
/// After the first reading a source that fails takes away nothing but what it delivers itself.
public struct MonitorSources: ~Copyable {
  private let table: any FlowTable
  private var sockets: SocketTable
  var processes: ProcessTable
  private var namespaces: NamespaceTable?
  private let addresses: LocalAddressSource
  private var entries: [SocketEntry] = []
  /// The table as it was read last.
  private(set) var snapshot = FlowSnapshot()
  /// The addresses of this host as they were read last.
  private(set) var local = LocalAddresses([])
  /// How reading what names the owners went, since the table was read.
  private(set) var naming = Conditions.Naming.notRead
  /// Times that something could not be read.
  private var unread: UInt64 = 0

  /// Brings the sources together; nothing is read yet. With `readsNamespaces` the owners of flows that this network
  /// namespace only forwards are looked for in the others.
  public init(
    table: any FlowTable, sockets: consuming SocketTable, processes: consuming ProcessTable,
    addresses: LocalAddressSource, readsNamespaces: Bool = false
  ) {
    self.table = table
    self.sockets = sockets
    namespaces = readsNamespaces ? NamespaceTable(processes) : nil
    self.processes = processes
    self.addresses = addresses
  }

  /// The sources of this host, with `table` as its connection table. Errors: /proc cannot be listed, or a socket cannot be had.
  public static func host(
    _ table: any FlowTable, readsNamespaces: Bool
  ) throws(KernelError) -> MonitorSources {
    MonitorSources(
      table: table, sockets: SocketTable(), processes: try ProcessTable(),
      addresses: .kernel(try LocalAddressReader()), readsNamespaces: readsNamespaces)
  }

  /// Has the owners of new flows looked up from now on.
  func lookUpOwners() { table.lookUpOwners() }

  /// Which sockets matter: those of other network namespaces are other hosts' to who does not look there.
  var networks: SocketNetworks { namespaces == nil ? .own : .all }

  /// Why the events of the table are not received; nil while they are.
  var eventFailure: KernelError? { table.condition.eventFailure }

  /// True when the ends of all flows are reported.
  var hasEndEvents: Bool { table.condition.hasEndEvents }

  /// True when some flow is offloaded.
  var isOffloaded: Bool { snapshot.flows.contains(where: \.isOffloaded) }

  /// True when the counters of all flows that live are there and do not lag.
  var areCounted: Bool {
    snapshot.flows.prefix(snapshot.livingCount).allSatisfy { $0.isCounted && !$0.isOffloaded }
  }

  /// Reads the table.
  mutating func readTable(at now: Instant) throws(KernelError) {
    naming = .notRead
    try table.read(into: &snapshot, at: now)
  }

  /// Reads which processes there are. The events of the connection table are taken: after the first time they must be
  /// counted in any case.
  mutating func readProcesses(isFirst: Bool) throws(KernelError) {
    do throws(KernelError) { try processes.refresh() } catch { try note(error, isFirst) }
  }

  /// Reads the addresses.
  mutating func readAddresses(isFirst: Bool) throws(KernelError) {
    do throws(KernelError) { local = try addresses.read() } catch { try note(error, isFirst) }
  }

  /// Reads the sockets of these protocols.
  mutating func readSockets(
    _ transports: Set<TransportProtocol>, isFirst: Bool
  ) throws(KernelError) -> [SocketEntry] {
    do throws(KernelError) { try sockets.read(transports, into: &entries) } catch {
      entries = []
      try note(error, isFirst)
    }
    if case .notRead = naming { naming = .read }
    return entries
  }

  /// Looks again at processes that run another program, as the table and `others` report, and at where they run.
  mutating func recheck(_ others: [ProcessIdentity]) {
    processes.recheck(snapshot.renamed + others)
    namespaces?.refresh(processes, renamed: snapshot.renamed)
  }

  /// Reads the other network namespaces that may be an end of these flows, with their sockets.
  mutating func readNamespaces(
    of deltas: [FlowDelta], _ transports: Set<TransportProtocol>
  ) -> NamespaceIndex {
    let addresses = namespaces?.addresses() ?? [:]
    var index = NamespaceIndex(addresses, isComplete: (namespaces?.unread ?? 0) == 0)
    for namespace in index.concerned(by: deltas, in: snapshot.flows, local: local) {
      index.insert(namespaces?.sockets(of: namespace, transports) ?? [], of: namespace)
    }
    return index
  }

  /// Lets network namespaces end whose last process has.
  mutating func releaseNamespaces() { namespaces?.release() }

  /// Adds what was seen, and what did not fit or could not be read, since start.
  func add(to health: inout Health) {
    health.flows = snapshot.livingCount + (snapshot.closedCount ?? 0)
    for flow in snapshot.flows.prefix(snapshot.livingCount) {
      if !flow.isCounted { health.uncounted += 1 }
      if flow.isOffloaded { health.offloaded += 1 }
    }
    let condition = table.condition
    health.missedEvents = condition.missedEvents
    health.interruptedDumps = condition.interrupted
    health.malformed += condition.malformed + sockets.malformed
    health.vanished += processes.vanished
    health.denied = max(processes.denied, condition.denied)
    health.failedReads += processes.failed + unread
    health.dropped += sockets.dropped + processes.dropped + processes.notRemembered + processes.truncated
    health.dropped += condition.unseen
    switch namespaces {
    case .some(let namespaces):
      health.namespaces = namespaces.answering
      health.unreadNamespaces = namespaces.unread
      health.malformed += namespaces.malformed
      health.vanished += namespaces.vanished
      health.dropped += namespaces.dropped
    case .none: break
    }
  }

  /// Counts what could not be read; the first of a tick may be said. The ledger has moved on: what it counted goes to
  /// whom it belonged before, or to nobody.
  private mutating func note(_ error: KernelError, _ isFirst: Bool) throws(KernelError) {
    if isFirst { throw error }
    unread += 1
    if case .notRead = naming { naming = .failed(error) }
  }
}
