import Model

/// The lines under the table: where the bytes went, and what makes the numbers less than they could be.
struct Footer {
  /// Where all bytes went since start, in percent of all; only the parts that are not empty.
  let balance: Pieces
  /// How the probed targets are, those of which nothing answers first; empty without any.
  let probes: Pieces
  /// What did not fit or could not be read, each with its counter; empty when all is well.
  let warnings: Pieces

  init(_ report: UsageReport) {
    let layer = report.layer == .payload ? ["payload only"] : []
    balance = Pieces(separator: " · ", Self.parts(of: report.balance) + layer)
    let states = report.probes.filter { !$0.isUp } + report.probes.filter(\.isUp)
    let shown = states.prefix(Self.mostProbes).map(\.sentence)
    let rest = states.count - shown.count
    let targets = shown + (rest > 0 ? ["and \(rest) more"] : [])
    probes = Pieces(separator: " · ", targets.isEmpty ? [] : ["probes: " + targets[0]] + targets.dropFirst())
    let counters = Self.counters(of: report.health).filter { $0.count > 0 }
    let parts = counters.map { "\($0.count) \($0.what.counted($0.count)) \($0.become)" }
    warnings = Pieces(separator: ", ", parts.isEmpty ? [] : ["warning: " + parts[0]] + parts.dropFirst())
  }

  private static let mostProbes = 12

  private static func parts(of balance: Balance) -> [String] {
    // What has no counters was not tracked.
    let witness = balance.payload.isZero ? "tracked" : "explained"
    return shares(of: balance)
      + (balance.coverage.map { ["\(witness) \($0.fixed(1)) % of interface bytes"] } ?? [])
  }

  private static func shares(of balance: Balance) -> [String] {
    let all = balance.total.sum
    if all == 0 { return ["no traffic counted yet"] }
    func share(_ usage: Usage) -> String { (Double(usage.sum) / Double(all) * 100).fixed(1) + " %" }

    let reasons = Owner.Reason.allCases.compactMap { reason -> String? in
      guard let usage = balance.unattributed[reason], !usage.isZero else { return nil }
      return "\(reason.words) \(share(usage))"
    }
    let parts = [
      ("attributed", balance.attributed, ""), ("forwarded", balance.forwarded, ""),
      ("kernel", balance.kernel, ""),
      ("unattributed", balance.unattributedTotal, " (\(reasons.joined(separator: ", ")))"),
      ("hidden by filters", balance.hidden, ""), ("loopback", balance.loopback, ""),
      ("without headers", balance.payload, ""),
    ]
    // What is not there needs no place.
    return parts.filter { !$0.1.isZero }.map { name, usage, detail in "\(name) \(share(usage))\(detail)" }
  }

  /// A process that vanished and a dump that was repeated are no loss: JSON has them, people need not read them.
  private static func counters(of health: Health) -> [(count: UInt64, what: String, become: String)] {
    [
      (UInt64(max(0, health.uncounted)), "flow", "not counted"),
      (UInt64(max(0, health.offloaded)), "flow", "offloaded"),
      (health.missedEvents, "kernel event", "lost"),
      (health.malformed, "message", "not understood"),
      (health.dropped, "item", "without room"),
      (health.missedEnds, "connection", "ended unreported"),
      (health.lostEntries, "connection", "refused or forgotten by the table"),
      (health.failedReads, "read", "failed"),
      (health.evicted, "owner", "evicted"),
      (health.abandonedSearches, "search", "given up"),
      (health.droppedNotifications, "notification", "dropped"),
      (health.droppedRecords, "record", "not published"),
      (health.skippedReports, "report", "skipped"),
    ]
  }
}

extension String {
  /// This noun for so many of it.
  func counted(_ count: UInt64) -> String {
    if count == 1 { return self }
    return self + (hasSuffix("s") || hasSuffix("ch") ? "es" : "s")
  }
}

extension Owner.Reason {
  fileprivate var words: String {
    switch self {
    case .exited: "exited"
    case .ambiguous: "ambiguous"
    case .noHolder: "no holder"
    case .noSocket: "no socket"
    case .denied: "denied"
    }
  }
}

/// Parts of a sentence that may be broken between them.
struct Pieces {
  private let separator: String
  private let parts: [String]

  init(separator: String, _ parts: [String]) {
    self.separator = separator
    self.parts = parts
  }

  /// The parts on as few lines of at most `columns` columns as they need in this order; a part that is wider is cut.
  func wrapped(to columns: Int) -> [String] {
    var lines = [String]()
    for part in parts {
      if let last = lines.last, (last + separator + part).displayWidth <= columns {
        lines[lines.count - 1] = last + separator + part
      } else {
        lines.append(part.fitted(to: columns))
      }
    }
    return lines
  }
}
