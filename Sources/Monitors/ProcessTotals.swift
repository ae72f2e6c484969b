import Model

/// Totals of each process, and of what has no process, since start.
///
/// The number of rows is bounded: beyond it the rows of exited processes, and then those that have been idle
/// longest, are folded into one row `(evicted)`. No byte is lost by that.
public struct ProcessTotals: Sendable {
  private struct Line {
    var name: String
    var uid: UInt32 = 0
    var place = ProcessPlace()
    var total = Usage.zero
    var moved = Usage.zero
    var isExited = false
    var certainty = Certainty()
    var lastActive: UInt64 = 0
  }

  private let limit: Int
  private var lines: [Owner: Line] = [:]
  private var evicted = Usage.zero
  private var evictions: UInt64 = 0
  private var balance = Balance()
  private var health = Health()
  private var interval: Duration?
  private var tick: UInt64 = 0

  /// Makes empty totals with room for `limit` rows.
  public init(limit: Int = 10_000) { self.limit = limit }

  /// Adds one interval.
  public mutating func add(_ measurement: Measurement) {
    tick += 1
    interval = measurement.interval
    balance += measurement.balance
    health = measurement.health
    for owner in Array(lines.keys) { lines[owner]?.moved = .zero }
    for reading in measurement.readings { add(reading, movesNow: measurement.interval != nil) }
    for process in measurement.exited { lines[.process(process)]?.isExited = true }
    evict()
  }

  /// Returns all rows as they are now.
  public func report(at time: Timestamp) -> UsageReport {
    var rows = lines.map { owner, line in
      UsageRow(
        name: line.name, subject: subject(owner, line), total: line.total, moved: line.moved,
        certainty: line.certainty, place: line.place)
    }
    if !evicted.isZero {
      rows.append(UsageRow(name: UsageRow.evictedName, subject: .remainder, total: evicted, moved: .zero))
    }
    var health = health
    health.evicted = evictions
    return UsageReport(time: time, interval: interval, rows: rows, balance: balance, health: health)
  }

  private mutating func add(_ reading: Reading, movesNow: Bool) {
    var line = lines[reading.owner] ?? Line(name: reading.owner.remainderName ?? "")
    if let process = reading.process {
      line.name = process.commandLine
      line.uid = process.uid
      line.place = process.place
    }
    line.total += reading.usage
    line.certainty = line.certainty + reading.certainty
    if movesNow { line.moved += reading.usage }
    line.lastActive = tick
    lines[reading.owner] = line
  }

  private func subject(_ owner: Owner, _ line: Line) -> UsageRow.Subject {
    guard case .process(let identity) = owner else { return .remainder }
    return .process(pid: identity.pid, uid: line.uid, exited: line.isExited)
  }

  private mutating func evict() {
    let surplus = lines.count - limit
    if surplus <= 0 { return }
    let processes = lines.filter { if case .process = $0.key { true } else { false } }
    let oldest = processes.sorted {
      ($0.value.isExited ? 0 : 1, $0.value.lastActive) < ($1.value.isExited ? 0 : 1, $1.value.lastActive)
    }
    for (owner, line) in oldest.prefix(surplus) {
      evicted += line.total
      evictions += 1
      lines[owner] = nil
    }
  }
}
