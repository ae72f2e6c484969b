import Model

/// The connection table followed by its events: final counters come from DESTROY, those of living flows are asked
/// for one by one while they are few. The table itself stays the truth: it is dumped at the start, when many flows
/// live, after losses and now and then to compare. TCP flows without counters have those of their sockets. Needs
/// CAP_NET_ADMIN.
public final class LiveFlowTable: FlowTable {
  private let table: NetlinkFlowTable
  private let listener: FlowListener
  private var query: FlowQuery
  private var roster = FlowRoster()
  private var later = LaterFlows()
  private var counters = SocketCounters()
  private var heard = FlowTableCondition()
  private var witness = FlowWitness.Condition()
  private var surplus: UInt64 = 0
  /// What was heard and no reading has handed over yet.
  private var waiting = FlowLog.Batch()

  /// Starts to listen; with `namespaces` the owners of new flows are looked for in other network namespaces too.
  /// Errors: `notPermitted`, `unsupported`.
  public convenience init(namespaces: Bool = false) throws(KernelError) {
    try self.init(listener: FlowListener(namespaces: namespaces))
  }

  /// Takes what `listener` hears.
  init(listener: FlowListener) throws(KernelError) {
    table = try NetlinkFlowTable()
    self.listener = listener
    query = try FlowQuery()
  }

  /// What did not go as it should, since start.
  public var condition: FlowTableCondition {
    var condition = table.condition
    condition.malformed += heard.malformed + query.malformed
    condition.missedEvents += heard.missedEvents + counters.losses
    condition.malformed += witness.malformed
    condition.missedEvents += witness.missedNews
    condition.unseen = witness.unseen + surplus
    condition.denied = witness.denied
    condition.hearsEnds = true
    return condition
  }

  /// Replaces `snapshot` by the living entries and those that ended since the last call.
  ///
  /// Errors: those of reading the table, and why the listening thread ended if it did.
  public func read(into snapshot: inout FlowSnapshot, at now: ContinuousClock.Instant) throws(KernelError) {
    try takeNews()
    heard.missedEvents += UInt64(roster.takeSuspects())
    let reading = roster.reading(at: now)
    try snapshot.replace { (flows) throws(KernelError) in
      switch reading {
      case .query:
        try query.ask(roster.questions, into: &flows)
        for index in flows.indices { later.number(&flows[index]) }
      case .dump(let reason):
        try table.read(into: &flows)
        if reason != .many { later.keep(flows) }
        for index in flows.indices { later.number(&flows[index]) }
        roster.replace(by: flows, for: reason, at: now)
      }
      counters.complete(&flows)
    }
    // What ended before its counters were read is told by now: they may be those of the next entry of its ends, which
    // waits for the next call. What ended after it comes twice, and the ledger takes its final counters.
    let hasHeardAll = listener.hasHeardAll
    try takeNews()
    // Of flows that were taken the thread forgets what it must only when it is asked.
    if !hasHeardAll || waiting.hasFlows {
      if !listener.settle() { heard.missedEvents += 1 }
      try takeNews()
    }
    // Those that were made again meanwhile were read under the name of the one before.
    snapshot.removeLiving { later.isAnother($0) }
    snapshot.add(waiting)
    waiting = FlowLog.Batch()
  }

  /// Takes what was heard; if the rest of a reading fails it comes with the next.
  private func takeNews() throws(KernelError) {
    let batch = listener.log.take()
    if let failure = batch.failure { throw failure }
    heard.missedEvents += batch.losses
    heard.malformed += batch.malformed
    surplus += batch.surplus
    witness = batch.witness
    roster.take(batch)
    for flow in batch.created { later.note(made: flow) }
    for flow in batch.ended { later.note(ended: flow.identity) }
    if waiting.isEmpty { waiting = batch } else { heard.missedEvents += waiting.append(batch) }
  }
}
