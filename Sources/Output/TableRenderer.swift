public import Model

/// A table for people: sorted by rate, with units, totals and the balance, never wider than the terminal.
///
/// A frame is the whole picture of one report. A program that writes to a terminal moves the cursor home, writes
/// the lines of `frame`, each followed by "clear to the end of the line", and clears the rest; elsewhere frames
/// follow each other. Only `color` puts control sequences into a line, and never as the only emphasis.
public struct TableRenderer: Renderer, Sendable {
  /// Columns of the terminal.
  public var width: Int
  /// Lines of the terminal; nil where there is no end (a pipe).
  public var height: Int?
  /// True to emphasise with colours; false when NO_COLOR is set.
  public var color: Bool
  /// True for command lines as they are, without it the path in front of the program is left out.
  public var isFull: Bool

  /// Makes a renderer for a terminal of the given size.
  public init(width: Int, height: Int?, color: Bool, isFull: Bool = false) {
    self.width = width
    self.height = height
    self.color = color
    self.isFull = isFull
  }

  /// Appends the frame of a report and an empty line; nothing for every other event.
  public mutating func render(_ event: Event, to output: inout [UInt8]) {
    switch event {
    case .usage(let report): render(report, to: &output)
    // Standard error has these.
    case .alert, .probeAlert, .warning, .outage, .route: break
    // The report has how the targets are.
    case .probe: break
    }
  }

  private func render(_ report: UsageReport, to output: inout [UInt8]) {
    for line in frame(report) + [""] { output += "\(line)\n".utf8 }
  }

  /// Returns the lines of one report, none wider than `width` columns and no more than `height` of them: header,
  /// rows, `… and N more` for what does not fit, totals, balance, and warnings if a counter says so. Below stand the
  /// latest of `messages`, which would otherwise be painted over: whole ones, in the lines that the table leaves or a
  /// quarter of all, whichever are more.
  public func frame(_ report: UsageReport, messages: [String] = []) -> [String] {
    guard width > 0, height ?? 1 > 0 else { return [] }
    guard let height, !messages.isEmpty else { return table(report, height: height) }
    let room = max(height / 4, height - table(report, height: nil).count)
    let lines = latest(messages, in: room)
    return table(report, height: height - lines.count) + lines
  }

  /// The latest messages that fit into `room` lines, whole; of a single one that does not, its beginning.
  private func latest(_ messages: [String], in room: Int) -> [String] {
    var shown: [String] = []
    for message in messages.reversed() {
      let lines = message.escapingControlCharacters.wrappedWords(to: width)
      if shown.count + lines.count > room {
        if shown.isEmpty, room > 0 {
          shown = lines.prefix(room - 1) + [(lines[room - 1] + " …").fitted(to: width)]
        }
        break
      }
      shown = lines + shown
    }
    return shown
  }

  private func table(_ report: UsageReport, height: Int?) -> [String] {
    let layout = Layout(width: width, rows: report.rows, isFull: isFull)
    let rows = report.rows.sorted { $0.isBusier(than: $1) }
    let footer = Footer(report)
    let budget = LineBudget(
      height: height, rows: rows.count,
      balance: footer.balance.wrapped(to: width).count + footer.probes.wrapped(to: width).count,
      warnings: footer.warnings.wrapped(to: width).count)

    var lines = [String]()
    if budget.hasHeader { lines.append(emphasised(layout.header, "1")) }
    lines += rows.prefix(budget.rows).map { layout.line($0, over: report.interval) }
    if budget.rows < rows.count, budget.hasMore {
      lines.append("… and \(rows.count - budget.rows) more".fitted(to: width))
    }
    if budget.hasTotals {
      lines.append(emphasised(layout.totals(rows.filter { !$0.isPart }, over: report.interval), "1"))
    }
    if budget.hasBalance { lines += footer.balance.wrapped(to: width) + footer.probes.wrapped(to: width) }
    if budget.hasWarnings { lines += footer.warnings.wrapped(to: width).map { emphasised($0, "33") } }
    return lines
  }

  /// Wraps `line` into an ECMA-48 SGR sequence, if colours are wanted.
  private func emphasised(_ line: String, _ attribute: String) -> String {
    color ? "\u{1b}[\(attribute)m\(line)\u{1b}[0m" : line
  }
}

extension UsageRow {
  /// Orders by what moved in the interval, then by totals, then by name, so that rows hold their place.
  fileprivate func isBusier(than other: UsageRow) -> Bool {
    if moved.sum != other.moved.sum { return moved.sum > other.moved.sum }
    if total.sum != other.total.sum { return total.sum > other.total.sum }
    return (name, order) < (other.name, other.order)
  }

  private var order: Int32 {
    switch subject {
    case .process(let pid, _, _): pid
    case .application(let pids): pids.first ?? 0
    case .client(_, _, let process, _): process?.pid ?? 0
    case .exited, .pipe, .remainder: 0
    }
  }
}

extension UsageRow {
  /// True for a row whose bytes are in another row too: a client's are its pipe's.
  fileprivate var isPart: Bool { if case .client = subject { true } else { false } }
}

extension String {
  /// This text on lines of at most `columns` columns, broken between words; a longer word is broken where the line
  /// ends, so that a path can still be read whole.
  func wrappedWords(to columns: Int) -> [String] {
    if columns < 1 { return [] }
    var lines: [String] = []
    for word in split(separator: " ").map(String.init) {
      if let last = lines.last, (last + " " + word).displayWidth <= columns {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines += word.pieces(of: columns)
      }
    }
    return lines
  }

  private func pieces(of columns: Int) -> [String] {
    var pieces: [String] = []
    var piece = ""
    for character in self {
      if !piece.isEmpty, (piece + String(character)).displayWidth > columns {
        pieces.append(piece)
        piece = ""
      }
      piece.append(character)
    }
    return (pieces + [piece]).map { $0.fitted(to: columns) }
  }
}
