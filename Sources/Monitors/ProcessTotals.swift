import Model

/// Totals of each process, and of what has no process, since start.
///
/// A process that has ended keeps its row for one report; then its total goes to a row of its command line, where also
/// comes what the kernel counts for it later. The number of rows is bounded: beyond it the command lines and the
/// living processes that have been idle longest are folded into one row `(evicted)`. No byte is lost by that.
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

    mutating func describe(_ process: ProcessDescription) {
      (name, uid, place) = (process.commandLine, process.uid, process.place)
    }
  }

  private let limit: Int
  private var lines: [Owner: Line] = [:]
  private var exited: ExitedTotals
  /// Those whose row was marked as exited with the last interval.
  private var leaving: [ProcessIdentity] = []
  private var evicted = Usage.zero
  private var evictions: UInt64 = 0
  private var balance = Balance()
  private var health = Health()
  private var interval: Duration?
  private var tick: UInt64 = 0

  /// Makes empty totals with room for `limit` rows of processes and `exitedLimit` of command lines whose processes
  /// have ended.
  public init(limit: Int = 10_000, exitedLimit: Int = 4_096) {
    self.limit = limit
    exited = ExitedTotals(limit: exitedLimit)
  }

  /// Adds one interval. Each is to be reported before the next is added.
  public mutating func add(_ measurement: Measurement) {
    tick += 1
    interval = measurement.interval
    balance += measurement.balance
    health = measurement.health
    lines.changeValues { $0.moved = .zero }
    exited.beginTick()
    for process in leaving { leave(process) }
    for reading in measurement.readings { add(reading, movesNow: measurement.interval != nil) }
    for process in measurement.renamed { lines[.process(process.identity)]?.describe(process) }
    leaving = measurement.exited.filter { lines[.process($0)] != nil }
    for process in leaving { lines[.process(process)]?.isExited = true }
    evict()
  }

  /// Returns all rows as they are now.
  public func report(at time: Timestamp) -> UsageReport {
    var rows: [UsageRow] = []
    rows.reserveCapacity(lines.count + exited.count + 1)
    for (owner, line) in lines { rows.append(row(owner, line)) }
    exited.append(to: &rows)
    let evicted = evicted + exited.evicted
    if !evicted.isZero {
      rows.append(UsageRow(name: UsageRow.evictedName, subject: .remainder, total: evicted, moved: .zero))
    }
    var health = health
    health.evicted = evictions + exited.evictions
    return UsageReport(time: time, interval: interval, rows: rows, balance: balance, health: health)
  }

  private mutating func add(_ reading: Reading, movesNow: Bool) {
    if case .process(let process) = reading.owner, lines[reading.owner] == nil,
      exited.add(reading, of: process, movesNow: movesNow, at: tick)
    {
      return
    }
    var line = lines[reading.owner] ?? Line(name: reading.owner.remainderName ?? "")
    if let process = reading.process { line.describe(process) }
    line.total += reading.usage
    line.certainty = line.certainty + reading.certainty
    if movesNow { line.moved += reading.usage }
    line.lastActive = tick
    lines[reading.owner] = line
  }

  private func row(_ owner: Owner, _ line: Line) -> UsageRow {
    var subject = UsageRow.Subject.remainder
    if case .process(let process) = owner {
      subject = .process(pid: process.pid, uid: line.uid, exited: line.isExited)
    }
    return UsageRow(
      name: line.name, subject: subject, total: line.total, moved: line.moved, certainty: line.certainty,
      place: line.place)
  }

  /// Moves the total of a process that has ended to its command line.
  private mutating func leave(_ process: ProcessIdentity) {
    guard let line = lines.removeValue(forKey: .process(process)) else { return }
    exited.take(row(.process(process), line), of: process, at: line.lastActive)
  }

  private mutating func evict() {
    if lines.count > limit { for process in leaving.prefix(lines.count - limit) { leave(process) } }
    exited.evict()
    let surplus = lines.count - limit
    if surplus <= 0 { return }
    let processes = lines.filter { if case .process = $0.key { true } else { false } }
    for (owner, line) in processes.sorted(by: { $0.value.lastActive < $1.value.lastActive }).prefix(surplus) {
      evicted += line.total
      evictions += 1
      lines[owner] = nil
    }
  }
}

extension Dictionary {
  /// Changes every value where it is. Not over `values.indices`: they hold the dictionary, and the first change would
  /// copy it.
  mutating func changeValues(_ change: (inout Value) -> Void) {
    var index = startIndex
    while index < endIndex {
      change(&values[index])
      formIndex(after: &index)
    }
  }
}
