import Model

/// The columns that fit a width: the name always, then rates, the process, totals.
struct Layout {
  private enum Column {
    case members, rate, receivedRate, sentRate, received, sent
  }

  /// Column sets, the best first; the name gets what they leave. All but the last two are there only beside a name that
  /// can be read.
  private static let choices: [[Column]] = [
    [.members, .receivedRate, .sentRate, .received, .sent],
    [.members, .receivedRate, .sentRate],
    [.receivedRate, .sentRate],
    [.rate],
    [],
  ]
  private static let readableName = 30
  private static let narrowestName = 12
  private static let gap = "  "

  private let columns: [Column]
  private let nameWidth: Int
  private let membersHeading: String

  private let isFull: Bool

  /// `isFull` is for whole command lines, however wide.
  init(width: Int, rows: [UsageRow], isFull: Bool) {
    func fits(_ choice: [Column], beside name: Int) -> Bool { width - Self.width(of: choice) >= name }
    let readable = Self.choices.dropLast().first { fits($0, beside: Self.readableName) }
    columns = readable ?? Self.choices.suffix(2).first { fits($0, beside: Self.narrowestName) } ?? []
    self.isFull = isFull
    nameWidth = width - Self.width(of: columns)
    membersHeading = rows.lazy.compactMap(\.subject.membersHeading).first ?? "PID"
  }

  var header: String {
    line(name: "NAME") { column in
      switch column {
      case .members: membersHeading
      case .rate: "RATE"
      case .receivedRate: "RECEIVED/s"
      case .sentRate: "SENT/s"
      case .received: "RECEIVED"
      case .sent: "SENT"
      }
    }
  }

  func line(_ row: UsageRow, over interval: Duration?) -> String {
    line(
      name: row.shownName(isFull: isFull), members: row.subject.members, total: row.total, moved: row.moved,
      over: interval)
  }

  func totals(_ rows: [UsageRow], over interval: Duration?) -> String {
    let total = rows.reduce(Usage.zero) { $0 + $1.total }
    let moved = rows.reduce(Usage.zero) { $0 + $1.moved }
    return line(name: "TOTAL", members: "", total: total, moved: moved, over: interval)
  }

  private func line(
    name: String, members: String, total: Usage, moved: Usage, over interval: Duration?
  ) -> String {
    line(name: name) { column in
      // What had moved before the first look has no rate.
      let rates = interval.map { moved.rates(over: $0) }
      let both = rates.map { Rate.bytesPerSecond($0.received.bytesPerSecond + $0.sent.bytesPerSecond) }
      switch column {
      case .members: return members
      case .rate: return both.map(ByteText.rate) ?? "-"
      case .receivedRate: return rates.map { ByteText.rate($0.received) } ?? "-"
      case .sentRate: return rates.map { ByteText.rate($0.sent) } ?? "-"
      case .received: return ByteText.size(total.received)
      case .sent: return ByteText.size(total.sent)
      }
    }
  }

  private func line(name: String, _ cell: (Column) -> String) -> String {
    let cells = columns.map { cell($0).rightAligned(in: Self.width(of: $0)) }
    return (cells + [name.fitted(to: nameWidth)]).joined(separator: Self.gap)
  }

  private static func width(of columns: [Column]) -> Int {
    columns.reduce(0) { $0 + width(of: $1) + gap.utf8.count }
  }

  private static func width(of column: Column) -> Int {
    switch column {
    case .members: 7
    case .rate, .receivedRate, .sentRate: ByteText.rateWidth
    case .received, .sent: ByteText.sizeWidth
    }
  }
}

extension UsageRow {
  fileprivate func shownName(isFull: Bool) -> String {
    let name = (isFull ? name : label).escapingControlCharacters
    switch subject {
    case .process(_, _, exited: true), .exited(processes: 1): return "(exited) " + name
    case .exited(let processes): return "(\(processes) exited) " + name
    case .client(_, _, let process?, _): return "\(name) [\(process.pid)]"
    default: return name
    }
  }

  /// The path in front of a program would fill the column; an application without a rule has its command line.
  private var label: String {
    switch subject {
    case .process, .exited, .client(_, _, _?, _): ProgramName.label(ofCommandLine: name)
    case .application where name.hasPrefix("/"): ProgramName.label(ofCommandLine: name)
    case .application, .client, .pipe, .remainder: name
    }
  }
}

extension UsageRow.Subject {
  /// What stands above `members`; nil where other rows say it.
  fileprivate var membersHeading: String? {
    switch self {
    case .application: "PROCS"
    case .pipe, .client: "CONNS"
    case .process, .exited, .remainder: nil
    }
  }

  fileprivate var members: String {
    switch self {
    case .process(let pid, _, _): String(pid)
    case .application(let pids): String(pids.count)
    case .pipe(let open, _, _), .client(_, _, _, let open): String(open)
    case .exited, .remainder: ""
    }
  }
}

/// Bytes in the largest unit of 1024 that leaves a number of at least 1, with one decimal: `1.5 MiB`.
enum ByteText {
  private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

  /// The columns of the longest size, `1023.9 KiB`.
  static let sizeWidth = 10
  /// The columns of the longest rate, `1023.9 KiB/s`.
  static let rateWidth = 12

  /// `bytes` in at most ten columns.
  static func size(_ bytes: UInt64) -> String { text(Double(bytes)) }

  /// `rate` in at most twelve columns.
  static func rate(_ rate: Rate) -> String { text(rate.bytesPerSecond) + "/s" }

  private static func text(_ bytes: Double) -> String {
    var value = bytes
    var unit = 0
    // 1023.95 would be written 1024.0.
    while value >= (unit == 0 ? 1023.5 : 1023.95), unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return value.fixed(unit == 0 ? 0 : 1) + " " + units[unit]
  }
}
