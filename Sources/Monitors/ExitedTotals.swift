import Model

/// What processes that have ended had moved, by command line.
///
/// The number of command lines is bounded: those that moved nothing for longest are folded into `evicted`.
struct ExitedTotals: Sendable {
  private struct Line {
    var processes: UInt64 = 0
    var total = Usage.zero
    var moved = Usage.zero
    var certainty = Certainty()
    var lastActive: UInt64 = 0
  }

  /// Of so many processes it is known that they are counted here. What an older one still moves makes a row of its
  /// own again, until that is taken in too.
  static let memory = 4_096

  /// What those without room had moved.
  private(set) var evicted = Usage.zero
  /// Command lines that had to make room.
  private(set) var evictions: UInt64 = 0
  private var lines: [String: Line] = [:]
  private var names: [ProcessIdentity: String] = [:]
  private var order: [ProcessIdentity] = []
  private let limit: Int

  /// Makes empty totals with room for `limit` command lines.
  init(limit: Int) { self.limit = limit }

  /// Begins an interval in which nothing has moved yet.
  mutating func beginTick() {
    lines.changeValues { $0.moved = .zero }
  }

  /// Takes in the row of a process that has ended.
  mutating func take(_ row: UsageRow, of process: ProcessIdentity, at tick: UInt64) {
    remember(process, row.name)
    lines[row.name, default: Line()].processes += 1
    add(row.total, moved: row.moved, row.certainty, to: row.name, at: tick)
  }

  /// Adds what one that was taken in has moved after its end; false if it was not, or too long ago.
  mutating func add(_ reading: Reading, of process: ProcessIdentity, movesNow: Bool, at tick: UInt64) -> Bool
  {
    guard let name = names[process] else { return false }
    add(reading.usage, moved: movesNow ? reading.usage : .zero, reading.certainty, to: name, at: tick)
    return true
  }

  /// How many rows there are: one for each command line.
  var count: Int { lines.count }

  /// Appends the rows.
  func append(to rows: inout [UsageRow]) {
    for (name, line) in lines {
      rows.append(
        UsageRow(
          name: name, subject: .exited(processes: line.processes), total: line.total, moved: line.moved,
          certainty: line.certainty, hasEnded: true))
    }
  }

  /// Folds those that moved nothing for longest, as far as there are too many.
  mutating func evict() {
    let surplus = lines.count - limit
    if surplus <= 0 { return }
    // Some go at each tick: their times are sorted, not all the lines.
    let last = lines.values.map(\.lastActive).sorted()[surplus - 1]
    var idle = Array(lines.lazy.filter { $0.value.lastActive < last }.map(\.key))
    idle += lines.lazy.filter { $0.value.lastActive == last }.map(\.key).prefix(surplus - idle.count)
    for name in idle {
      evicted += lines.removeValue(forKey: name)?.total ?? .zero
      evictions += 1
    }
  }

  private mutating func add(
    _ total: Usage, moved: Usage, _ certainty: Certainty, to name: String, at tick: UInt64
  ) {
    var line = lines[name] ?? Line()
    line.total += total
    line.moved += moved
    line.certainty = line.certainty + certainty
    line.lastActive = tick
    lines[name] = line
  }

  private mutating func remember(_ process: ProcessIdentity, _ name: String) {
    if names.updateValue(name, forKey: process) == nil { order.append(process) }
    guard order.count > Self.memory else { return }
    for oldest in order.prefix(Self.memory / 2) { names[oldest] = nil }
    order.removeFirst(Self.memory / 2)
  }
}
