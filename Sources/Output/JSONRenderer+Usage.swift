import Model

extension UsageReport {
  /// With `all` every row is written; else those that have ended and move nothing any more are one sum.
  func write(to writer: inout JSONWriter, idle: inout IdleRows, all: Bool) {
    var shown = rows
    var ended = EndedRows()
    if !all { shown.removeAll { ended.take($0) } }
    writer.field("event", "usage")
    writer.field("time", time.rfc3339)
    writer.field("interval", interval)
    writer.field("layer", layer.rawValue)
    writer.key("rows")
    writer.array { writer in
      idle.shorten(to: shown.count)
      for (index, row) in shown.enumerated() { idle.write(row, at: index, to: &writer, interval) }
    }
    writer.key("ended")
    writer.object { writer in
      writer.field("rows", ended.count)
      writer.fields(ended.total)
    }
    writer.key("balance")
    writer.object { balance.write(to: &$0) }
    writer.key("health")
    writer.object { health.write(to: &$0) }
  }
}

/// What the rows that have ended had moved. Each was written with its last bytes; on a host with many short commands
/// they would be most of each later line.
private struct EndedRows {
  var count = 0
  var total = Usage.zero

  /// Takes a row in; false for one that is to be written.
  mutating func take(_ row: UsageRow) -> Bool {
    guard row.hasEnded, row.moved.isZero else { return false }
    count += 1
    total += row.total
    return true
  }
}

/// The text of rows that moved nothing: on an idle host it is the same the next time.
struct IdleRows: Sendable {
  /// Of so many rows the text is kept.
  static let limit = 1_024

  // By their place in the report; the text of a row that moved something is not kept.
  private var known: [(row: UsageRow, text: [UInt8])] = []

  /// Forgets the rows that are beyond `count`.
  mutating func shorten(to count: Int) { known.removeLast(max(0, known.count - count)) }

  /// Writes the row at `index` of a report.
  mutating func write(_ row: UsageRow, at index: Int, to writer: inout JSONWriter, _ interval: Duration?) {
    if index < known.count, row.moved.isZero, known[index].row == row {
      return writer.repeat(known[index].text)
    }
    let start = writer.count
    row.write(to: &writer, interval: interval)
    guard index < Self.limit else { return }
    let entry = (row, row.moved.isZero ? writer.text(from: start) : [])
    if index < known.count { known[index] = entry } else { known.append(entry) }
  }
}

extension UsageRow {
  fileprivate func write(to writer: inout JSONWriter, interval: Duration?) {
    writer.object { writer in
      writer.field("name", name)
      switch subject {
      case .process(let pid, let uid, _):
        writer.field("pid", pid)
        writer.field("uid", uid)
      case .exited(let processes): writer.field("processes", processes)
      case .application(let pids): writer.field("pids", pids)
      case .pipe(let open, let accepted, let failed):
        writer.field("kind", "pipe")
        writer.field("connections", open)
        writer.field("accepted", accepted)
        writer.field("failed", failed)
      case .client(let pipe, let address, let process, let open):
        writer.field("kind", "client")
        writer.field("pipe", pipe)
        if let address { writer.field("address", "\(address)") }
        if let process { writer.field("pid", process.pid) }
        writer.field("connections", open)
      case .remainder: writer.field("kind", "remainder")
      }
      writer.fields(total)
      let rates = moved.rates(over: interval)
      writer.field("received_rate", rates.received)
      writer.field("sent_rate", rates.sent)
      if let exited = subject.isExited { writer.field("exited", exited) }
      if subject != .remainder { writer.field("match", certainty.match.rawValue) }
      if certainty.isShared { writer.field("shared", true) }
      if certainty.isPayload { writer.field("layer", Layer.payload.rawValue) }
      place.write(to: &writer)
    }
  }
}

extension UsageRow.Subject {
  /// Nil where nothing can end.
  fileprivate var isExited: Bool? {
    switch self {
    case .process(_, _, let exited): exited
    case .exited: true
    case .application, .pipe, .client, .remainder: nil
    }
  }
}

extension ProcessPlace {
  /// Only what is known.
  fileprivate func write(to writer: inout JSONWriter) {
    if let networkNamespace { writer.field("netns", networkNamespace) }
    if let cgroup { writer.field("cgroup", cgroup) }
    if let unit { writer.field("unit", unit) }
    if let container { writer.field("container", container) }
  }
}

extension Balance {
  /// `reasons` are bytes of both directions together.
  fileprivate func write(to writer: inout JSONWriter) {
    writer.field("total", total)
    writer.field("attributed", attributed)
    writer.field("forwarded", forwarded)
    writer.field("kernel", kernel)
    writer.key("unattributed")
    writer.object { writer in
      writer.fields(unattributedTotal)
      writer.key("reasons")
      writer.object { writer in
        for reason in Owner.Reason.allCases {
          writer.field(reason.rawValue, unattributed[reason, default: .zero].sum)
        }
      }
    }
    writer.field("hidden", hidden)
    writer.field("loopback", loopback)
    writer.field("payload", payload)
    writer.field("untracked", untracked)
    writer.field("interfaces", interfaces)
    writer.key("coverage")
    if let coverage { writer.number(coverage, decimals: 2) } else { writer.null() }
  }
}

extension Health {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.field("flows", flows)
    writer.field("missed_events", missedEvents)
    writer.field("unheard_ends", missedEnds)
    writer.field("vanished", vanished)
    writer.field("denied", denied)
    writer.field("uncounted", uncounted)
    writer.field("offloaded", offloaded)
    writer.field("interrupted_dumps", interruptedDumps)
    writer.field("malformed", malformed)
    writer.field("failed_reads", failedReads)
    writer.field("dropped", dropped)
    writer.field("evicted", evicted)
    writer.field("abandoned_searches", abandonedSearches)
    writer.field("dropped_notifications", droppedNotifications)
    writer.field("skipped_reports", skippedReports)
    writer.field("namespaces", namespaces)
    writer.field("unread_namespaces", unreadNamespaces)
    writer.field("lost_entries", lostEntries)
    writer.field("counter_resets", counterResets)
    writer.field("dropped_records", droppedRecords)
  }
}
