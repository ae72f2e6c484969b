public import Model
import Netfilter
import SystemRuntime

/// The connection table followed by its events: final counters come from DESTROY, those of living flows are asked
/// for one by one while they are few. The table itself stays the truth: it is dumped at the start, when many flows
/// live, after losses and now and then to compare. Where owners are looked up, TCP flows without counters have those of
/// their sockets. Needs CAP_NET_ADMIN.
public final class LiveFlowTable: FlowTable {
  private var table: NetlinkFlowTable
  private var query: FlowQuery
  /// Whether the last reading failed for a reason that may be the sockets'.
  private var isBroken = false
  /// Nil while it does not work.
  private var listener: ConntrackEventThread?
  private var listening = Recovery<KernelError>()
  private let listen: (LaterFlows, _ looks: Bool) throws(KernelError) -> ConntrackEventThread
  private var looks: Bool
  private var living = LiveFlowSet()
  private var later = LaterFlows()
  /// Nil where a witness reports what moves without counters.
  private var counters: SocketCounters?
  private var received = FlowTableCondition()
  private var witness = EarlyAttribution.Condition()
  /// That of listeners before this one.
  private var witnessBefore = EarlyAttribution.Condition()
  private var surplus: UInt64 = 0
  /// What was received and no reading has handed over yet.
  private var waiting = FlowEventQueue.Batch()
  /// Whether the last reading knew of all entries that were made and ended.
  private var hadAllEvents = true
  private var gauges = ConntrackGauges()
  /// Whether the kernel makes events at all; nil where it does not say.
  private var eventSetting: Int?
  /// Events that were missed until then.
  private var missedBefore: UInt64 = 0

  /// Starts to listen. With `looks` the owners of new flows are looked up, and with `namespaces` in other network
  /// namespaces too. Errors: `notPermitted`, `unsupported`.
  public convenience init(namespaces: Bool = false, looks: Bool = true) throws(KernelError) {
    try self.init(counters: looks ? SocketCounters() : nil, looks: looks) {
      (living, looks) throws(KernelError) in
      try ConntrackEventThread(namespaces: namespaces, looks: looks, living: living)
    }
  }

  /// Takes what is received by the listener that `listen` starts, also later in the place of one that ended; it is given the
  /// entries that have numbers.
  init(
    counters: consuming SocketCounters? = nil, looks: Bool = true,
    listen: @escaping (LaterFlows, _ looks: Bool) throws(KernelError) -> ConntrackEventThread
  ) throws(KernelError) {
    self.counters = counters
    self.looks = looks
    self.listen = listen
    listener = try listen(later, looks)
    table = try NetlinkFlowTable()
    query = try FlowQuery()
  }

  /// Has the listener look up the owners of new flows from now on. Counters of sockets stay out: what these had carried was
  /// another's to count.
  public func lookUpOwners() {
    looks = true
    listener?.queue.looks = true
  }

  /// What did not go as it should, since start.
  public var condition: FlowTableCondition {
    var condition = table.condition
    condition.malformed += received.malformed + query.malformed
    condition.missedEvents += received.missedEvents + (counters?.losses ?? 0)
    condition.malformed += witnessBefore.malformed + witness.malformed
    condition.missedEvents += witnessBefore.missedEvents + witness.missedEvents
    condition.unseen = witnessBefore.unseen + witness.unseen + surplus
    condition.denied = witness.denied
    condition.hasEndEvents = true
    condition.eventFailure = listening.failure
    return condition
  }

  /// Replaces `snapshot` by the living entries and those that ended since the last call.
  ///
  /// A listening thread that ended is started again, and until then every reading is a dump: counters of what lives are
  /// whole, what ended meanwhile is missed. Errors: those of reading the table; the next call opens its sockets again.
  public func read(into snapshot: inout FlowSnapshot, at now: Instant) throws(KernelError) {
    startListening(at: now)
    eventSetting = gauges.events()
    // One for both waits of a reading: a flood of events delays it by no more.
    var patience = ConntrackEventThread.patience
    // Whoever knows of an entry that was made before now may rely on finding it here.
    if listener?.hasReceivedAll == false, listener?.settle(within: &patience) == false { loseEvents() }
    takeEvents(at: now)
    received.missedEvents += UInt64(living.takeSuspects(at: now))
    do throws(KernelError) {
      try reopen()
      var closedCount: Int?
      try snapshot.replace { (flows) throws(KernelError) in
        closedCount = try readLiving(into: &flows, at: now)
      }
      snapshot.closedCount = closedCount
    } catch {
      // The table of a busy host: another socket would find it no more at rest.
      if case .neverConsistent = error {} else { isBroken = true }
      throw error
    }
    // What ended before its counters were read is reported by now: they may be those of the next entry of its ends,
    // which waits for the next call. What ended after it comes twice, and the ledger takes its final counters.
    let hasReceivedAll = listener?.hasReceivedAll ?? true
    takeEvents(at: now)
    // Of flows that were taken the thread forgets what it must only when it is asked.
    if !hasReceivedAll || waiting.hasFlows {
      if listener?.settle(within: &patience) == false { loseEvents() }
      takeEvents(at: now)
    }
    // Those that were made again meanwhile were read under the name of the one before.
    snapshot.removeLiving { later.isAnother($0) }
    snapshot.add(waiting)
    waiting = FlowEventQueue.Batch()
    snapshot.hasAllEvents = takeCompleteness()
  }

  /// Whether all was received since the reading before. What was missed during that one may have come after its counters.
  private func takeCompleteness() -> Bool {
    let isReported = listener != nil && eventSetting.map { $0 != 0 } ?? false
    let hasAllEvents = isReported && received.missedEvents == missedBefore
    defer { (hadAllEvents, missedBefore) = (hasAllEvents, received.missedEvents) }
    return hasAllEvents && hadAllEvents
  }

  /// Returns how many entries were not asked for, as they have closed; nil where all were read.
  private func readLiving(
    into flows: inout [Flow], at now: Instant
  ) throws(KernelError) -> Int? {
    var closedCount: Int?
    // Without events the set knows of nothing new.
    let hasEvents = listener != nil && eventSetting != 0
    switch hasEvents ? living.reading(at: now) : .dump(.loss) {
    case .query:
      try query.ask(living.questions, into: &flows)
      for index in flows.indices { later.number(&flows[index]) }
      living.take(answers: flows)
      // What was in the table and was made again while it was read is counted twice by the set.
      closedCount = gauges.count().map { max(0, $0 - flows.count) } ?? living.closed
    case .dump(let reason):
      try table.read(into: &flows)
      if reason != .many { later.keep(flows) }
      for index in flows.indices { later.number(&flows[index]) }
      living.replace(by: flows, for: reason, at: now)
    }
    counters?.complete(&flows)
    return closedCount
  }

  /// Opens sockets in the place of those that failed.
  private func reopen() throws(KernelError) {
    guard isBroken else { return }
    let asked = query.malformed
    table = try NetlinkFlowTable(inPlaceOf: table)
    query = try FlowQuery()
    received.malformed += asked
    isBroken = false
  }

  /// Starts another listener in the place of one that ended, when it is time.
  private func startListening(at now: Instant) {
    guard listener == nil, listening.isDue(at: now) else { return }
    do throws(KernelError) {
      listener = try listen(later, looks)
      listening.succeed()
      // Nothing was received until now.
      living.take(FlowEventQueue.Batch(losses: 1))
    } catch {
      listening.fail(error, at: now)
    }
  }

  /// Some events did not come in time: the next reading is a dump.
  private func loseEvents() {
    received.missedEvents += 1
    living.take(FlowEventQueue.Batch(losses: 1))
  }

  /// Takes what was received; if a reading fails it comes with the next.
  private func takeEvents(at now: Instant) {
    guard let batch = listener?.queue.take() else { return }
    received.missedEvents += batch.losses
    received.malformed += batch.malformed
    surplus += batch.surplus
    witness = batch.witness
    living.take(batch)
    for flow in batch.created { later.note(made: flow) }
    for flow in batch.ended { later.note(ended: flow.identity) }
    if waiting.isEmpty { waiting = batch } else { received.missedEvents += waiting.append(batch) }
    guard let failure = batch.failure else { return }
    listener = nil
    listening.fail(failure, at: now)
    received.missedEvents += 1
    witnessBefore.add(witness)
    witness = EarlyAttribution.Condition()
  }
}

extension FlowSnapshot {
  /// Adds what was received since the moment before.
  mutating func add(_ batch: FlowEventQueue.Batch) {
    add(
      ended: batch.ended, earlyOwners: batch.earlyOwners, descriptions: batch.descriptions,
      renamed: batch.renamed)
  }
}

/// Where the connection table is read.
public enum FlowSource: String, Sendable, CaseIterable {
  /// netlink where it is allowed, else /proc.
  case auto
  /// ctnetlink, with its events.
  case netlink
  /// /proc/net/nf_conntrack.
  case procfs

  /// Opens the table. With `looks` the owners of new flows are looked up, where the kernel reports new flows, and
  /// with `namespaces` in other network namespaces too. Errors: `notPermitted`, `unsupported`; with `auto` those of netlink.
  public func open(namespaces: Bool = false, looks: Bool = true) throws(KernelError) -> any FlowTable {
    switch self {
    case .netlink: return try LiveFlowTable(namespaces: namespaces, looks: looks)
    case .procfs: return try ProcfsFlowTable()
    case .auto:
      do throws(KernelError) { return try LiveFlowTable(namespaces: namespaces, looks: looks) } catch {
        guard let table = try? ProcfsFlowTable() else { throw error }
        return table
      }
    }
  }
}
