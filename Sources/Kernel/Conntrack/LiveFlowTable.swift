import Model

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
  private var listener: FlowListener?
  private var listening = Recovery<KernelError>()
  private let listen: (LaterFlows) throws(KernelError) -> FlowListener
  private var roster = FlowRoster()
  private var later = LaterFlows()
  /// Nil where a witness tells what moves without counters.
  private var counters: SocketCounters?
  private var heard = FlowTableCondition()
  private var witness = FlowWitness.Condition()
  /// That of listeners before this one.
  private var witnessBefore = FlowWitness.Condition()
  private var surplus: UInt64 = 0
  /// What was heard and no reading has handed over yet.
  private var waiting = FlowLog.Batch()
  /// Whether the last reading knew of all entries that were made and ended.
  private var hadAllNews = true
  /// Events that were missed until then.
  private var missedBefore: UInt64 = 0

  /// Starts to listen. With `looks` the owners of new flows are looked up, and with `namespaces` in other network
  /// namespaces too. Errors: `notPermitted`, `unsupported`.
  public convenience init(namespaces: Bool = false, looks: Bool = true) throws(KernelError) {
    try self.init(counters: looks ? SocketCounters() : nil) { (living) throws(KernelError) in
      try FlowListener(namespaces: namespaces, looks: looks, living: living)
    }
  }

  /// Takes what the listener hears that `listen` starts, also later in the place of one that ended; it is given the
  /// entries that have numbers.
  init(
    counters: consuming SocketCounters? = nil,
    listen: @escaping (LaterFlows) throws(KernelError) -> FlowListener
  ) throws(KernelError) {
    self.counters = counters
    self.listen = listen
    listener = try listen(later)
    table = try NetlinkFlowTable()
    query = try FlowQuery()
  }

  /// What did not go as it should, since start.
  public var condition: FlowTableCondition {
    var condition = table.condition
    condition.malformed += heard.malformed + query.malformed
    condition.missedEvents += heard.missedEvents + (counters?.losses ?? 0)
    condition.malformed += witnessBefore.malformed + witness.malformed
    condition.missedEvents += witnessBefore.missedNews + witness.missedNews
    condition.unseen = witnessBefore.unseen + witness.unseen + surplus
    condition.denied = witness.denied
    condition.hearsEnds = true
    condition.eventFailure = listening.failure
    return condition
  }

  /// Replaces `snapshot` by the living entries and those that ended since the last call.
  ///
  /// A listening thread that ended is started again, and until then every reading is a dump: counters of what lives are
  /// whole, what ended meanwhile is missed. Errors: those of reading the table; the next call opens its sockets again.
  public func read(into snapshot: inout FlowSnapshot, at now: ContinuousClock.Instant) throws(KernelError) {
    startListening(at: now)
    takeNews(at: now)
    heard.missedEvents += UInt64(roster.takeSuspects())
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
    // What ended before its counters were read is told by now: they may be those of the next entry of its ends, which
    // waits for the next call. What ended after it comes twice, and the ledger takes its final counters.
    let hasHeardAll = listener?.hasHeardAll ?? true
    takeNews(at: now)
    // Of flows that were taken the thread forgets what it must only when it is asked.
    if !hasHeardAll || waiting.hasFlows {
      if listener?.settle() == false { heard.missedEvents += 1 }
      takeNews(at: now)
    }
    // Those that were made again meanwhile were read under the name of the one before.
    snapshot.removeLiving { later.isAnother($0) }
    snapshot.add(waiting)
    waiting = FlowLog.Batch()
    snapshot.hasAllNews = takeCompleteness()
  }

  /// Whether all was heard since the reading before. What was missed during that one may have come after its counters.
  private func takeCompleteness() -> Bool {
    let isTold = listener != nil && ConntrackSettings.events().map { $0 != 0 } ?? false
    let hasAllNews = isTold && heard.missedEvents == missedBefore
    defer { (hadAllNews, missedBefore) = (hasAllNews, heard.missedEvents) }
    return hasAllNews && hadAllNews
  }

  /// Returns how many entries were not asked for, as they have closed; nil where all were read.
  private func readLiving(
    into flows: inout [Flow], at now: ContinuousClock.Instant
  ) throws(KernelError) -> Int? {
    var closedCount: Int?
    switch listener == nil ? .dump(.loss) : roster.reading(at: now) {
    case .query:
      try query.ask(roster.questions, into: &flows)
      for index in flows.indices { later.number(&flows[index]) }
      roster.take(answers: flows)
      // What was in the table and was made again while it was read is counted twice by the roster.
      closedCount = ConntrackSettings.count().map { max(0, $0 - flows.count) } ?? roster.closed
    case .dump(let reason):
      try table.read(into: &flows)
      if reason != .many { later.keep(flows) }
      for index in flows.indices { later.number(&flows[index]) }
      roster.replace(by: flows, for: reason, at: now)
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
    heard.malformed += asked
    isBroken = false
  }

  /// Starts another listener in the place of one that ended, when it is time.
  private func startListening(at now: ContinuousClock.Instant) {
    guard listener == nil, listening.isDue(at: now) else { return }
    do throws(KernelError) {
      listener = try listen(later)
      listening.succeed()
      // Nothing was heard until now.
      roster.take(FlowLog.Batch(losses: 1))
    } catch {
      listening.fail(error, at: now)
    }
  }

  /// Takes what was heard; if a reading fails it comes with the next.
  private func takeNews(at now: ContinuousClock.Instant) {
    guard let batch = listener?.log.take() else { return }
    heard.missedEvents += batch.losses
    heard.malformed += batch.malformed
    surplus += batch.surplus
    witness = batch.witness
    roster.take(batch)
    for flow in batch.created { later.note(made: flow) }
    for flow in batch.ended { later.note(ended: flow.identity) }
    if waiting.isEmpty { waiting = batch } else { heard.missedEvents += waiting.append(batch) }
    guard let failure = batch.failure else { return }
    listener = nil
    listening.fail(failure, at: now)
    heard.missedEvents += 1
    witnessBefore.add(witness)
    witness = FlowWitness.Condition()
  }
}
