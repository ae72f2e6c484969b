public import Model

/// bwmon 1.1's lines, to the byte: for scripts that were written for it.
///
/// The original cleared the screen before each report. Here a report that is not empty ends with an empty line,
/// which no row can be: `grep` and `awk` see every row as before, and who wants whole reports splits at empty
/// lines (`awk -v RS=`). Alerts, warnings and the results of probes are not part of these lines. An outage, which only
/// who asks for probes can have, is one line with an empty one behind it (`OutageLine`).
public struct PlainRenderer: Renderer, Sendable {
  /// Which of the original's programs speaks.
  public enum Style: Sendable, Hashable, CaseIterable {
    /// `runmonitor`: bytes since start.
    case totals
    /// `runmonitor --bandwidth`: whole bytes per second.
    case rates
    /// `runaggregator`: KiB per second of what moves more than 1 KiB per second in either direction.
    case applications
  }

  /// The longest name that is shown uncut in a row, in Unicode scalars.
  public static let nameLimit = 60

  private let style: Style

  /// Makes a renderer of the given style.
  public init(style: Style) { self.style = style }

  /// Appends the report's rows by ascending received bytes (then sent bytes, then name) and an empty line;
  /// nothing for a report without rows to show; the line of an outage and an empty line; nothing for every other event.
  public mutating func render(_ event: Event, to output: inout [UInt8]) {
    switch event {
    case .usage(let report): render(report, to: &output)
    case .outage(let outage): output += "\(OutageLine(outage))\n\n".utf8
    // The original had none.
    case .alert, .probeAlert, .warning, .probe, .route: break
    }
  }

  private func render(_ report: UsageReport, to output: inout [UInt8]) {
    // The original saw the connection table only.
    let rows = report.rows.filter { $0.subject != .remainder || $0.name != UsageRow.untrackedName }
    let lines =
      switch style {
      case .totals: rows.summedByName().filter { !$0.total.isZero }.sorted(by: \.total).map(totalsLine)
      case .rates: rows.summedByName().sorted(by: \.moved).compactMap { ratesLine($0, over: report.interval) }
      case .applications:
        rows.filter { isBusy($0.moved.rates(over: report.interval)) }.sorted(by: \.moved)
          .map { applicationLine($0, over: report.interval) }
      }
    if lines.isEmpty { return }
    for line in lines { output += "\(line)\n".utf8 }
    output += "\n".utf8
  }

  private func totalsLine(_ row: UsageRow) -> String {
    processLine(String(row.total.received), String(row.total.sent), row)
  }

  /// Nil for a row that would show no byte.
  private func ratesLine(_ row: UsageRow, over interval: Duration?) -> String? {
    let rates = row.moved.rates(over: interval)
    let (received, sent) = (rates.received.wholeBytes, rates.sent.wholeBytes)
    return received == 0 && sent == 0 ? nil : processLine(String(received), String(sent), row)
  }

  private func processLine(_ received: String, _ sent: String, _ row: UsageRow) -> String {
    "\(received.rightAligned(in: 10)) / \(sent.rightAligned(in: 10)) -- \(shown(row.name))"
  }

  private func shown(_ name: String) -> String {
    name.escapingControlCharacters.shortened(to: Self.nameLimit)
  }

  private func applicationLine(_ row: UsageRow, over interval: Duration?) -> String {
    let rates = row.moved.rates(over: interval)
    let received = rates.received.kibibytesPerSecond.fixed(2).rightAligned(in: 10)
    let sent = rates.sent.kibibytesPerSecond.fixed(2).rightAligned(in: 10)
    return "\(received) KiB / \(sent) KiB -- \(shown(row.name))"
  }

  private func isBusy(_ rates: Rates) -> Bool {
    max(rates.received, rates.sent) > .kibibytesPerSecond(1)
  }
}

/// What makes two rows one line.
private struct PlainKey: Hashable {
  var name: String
  var isRemainder: Bool
}

extension Rate {
  /// Whole bytes per second, truncated as the original did.
  fileprivate var wholeBytes: UInt64 { UInt64(exactly: max(0, bytesPerSecond).rounded(.down)) ?? .max }
}

extension [UsageRow] {
  /// One row for all processes with the same command line; rows such as `(kernel)` are apart from processes that call
  /// themselves so.
  fileprivate func summedByName() -> [UsageRow] {
    var places: [PlainKey: Int] = [:]
    var rows: [UsageRow] = []
    for row in self {
      let key = PlainKey(name: row.name, isRemainder: row.subject == .remainder)
      if let place = places[key] {
        rows[place].total += row.total
        rows[place].moved += row.moved
      } else {
        places[key] = rows.count
        rows.append(row)
      }
    }
    return rows
  }

  fileprivate func sorted(by usage: KeyPath<UsageRow, Usage>) -> [UsageRow] {
    sorted { left, right in
      let (first, second) = (left[keyPath: usage], right[keyPath: usage])
      return (first.received, first.sent, left.name) < (second.received, second.sent, right.name)
    }
  }
}

/// Turns what leaves a program into text.
public protocol Renderer {
  /// Appends `event` to `output` as complete lines of UTF-8, each ended by a line feed; nothing when there is nothing
  /// to show. Bytes, as a report of thousands of rows is better not copied.
  mutating func render(_ event: Event, to output: inout [UInt8])
}

/// The line that says an outage to people, in local time.
///
/// `2026-11-21 11:00:01: gateway is not reachable (uptime: 604.003 s)`, and when it is over
/// `2026-11-21 11:00:09: gateway is reachable again (downtime: 7.512 s)`, with ` (ignored)` behind it for an outage
/// that was shorter than is wanted.
public struct OutageLine: Sendable, Hashable, CustomStringConvertible {
  /// The line, without a line feed; control characters of the subject are escaped.
  public let description: String

  /// Makes the line of an outage.
  public init(_ outage: Outage) {
    let subject = "\(outage.time.local): \(outage.subject.escapingControlCharacters)"
    description =
      switch outage.state {
      case .began(let uptime): "\(subject) is not reachable (uptime: \(uptime.inSeconds.fixed(3)) s)"
      case .ended(let downtime, let isIgnored):
        "\(subject) is reachable again (downtime: \(downtime.inSeconds.fixed(3)) s)"
          + (isIgnored ? " (ignored)" : "")
      }
  }
}
