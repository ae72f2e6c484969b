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
  private var counters = SocketCounters()
  private var heard = FlowTableCondition()
  private var witness = FlowWitness.Condition()
  /// What was heard and no reading has handed over yet.
  private var waiting = FlowLog.Batch()

  /// Starts to listen; with `namespaces` the owners of new flows are looked for in other network namespaces too. Errors:
  /// `notPermitted`, `unsupported`.
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
    condition.unseen = witness.unseen
    condition.denied = witness.denied
    return condition
  }

  /// Replaces `snapshot` by the living entries and those that ended since the last call.
  ///
  /// Errors: those of reading the table, and why the listening thread ended if it did.
  public func read(into snapshot: inout FlowSnapshot, at now: ContinuousClock.Instant) throws(KernelError) {
    // First what was heard, then the counters: a flow that ends in between is in neither, and comes with the next
    // call; the ledger waits for it.
    let batch = listener.log.take()
    if let failure = batch.failure { throw failure }
    heard.missedEvents += batch.losses
    heard.malformed += batch.malformed
    witness = batch.witness
    heard.missedEvents += UInt64(roster.take(batch))
    // If the rest fails it comes with the next call.
    if waiting.isEmpty { waiting = batch } else { waiting.append(batch) }
    let reading = roster.reading(at: now)
    try snapshot.replace(heard: waiting) { (flows) throws(KernelError) in
      switch reading {
      case .query: try query.ask(roster.questions, into: &flows)
      case .dump(let reason):
        try table.read(into: &flows)
        roster.replace(by: flows, for: reason, at: now)
      }
      counters.complete(&flows)
    }
    waiting = FlowLog.Batch()
  }
}
