public import Model

/// bwmon 1.1's lines, to the byte: for scripts that were written for it.
///
/// The original cleared the screen before each report. Here a report that is not empty ends with an empty line,
/// which no row can be: `grep` and `awk` see every row as before, and who wants whole reports splits at empty
/// lines (`awk -v RS=`). Alerts and warnings are not part of these lines.
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

  /// The longest name that is shown uncut in a row of a process, in Unicode scalars.
  public static let nameLimit = 60

  private let style: Style

  /// Makes a renderer of the given style.
  public init(style: Style) { self.style = style }

  /// Appends the report's rows by ascending received bytes (then sent bytes, then name) and an empty line;
  /// nothing for a report without rows to show and for every other event.
  public mutating func render(_ event: Event, to output: inout [UInt8]) {
    guard case .usage(let report) = event else { return }
    // The original saw the connection table only.
    let rows = report.rows.filter { $0.subject != .remainder || $0.name != UsageRow.untrackedName }
    let lines =
      switch style {
      case .totals: rows.filter { !$0.total.isZero }.sorted(by: \.total).map(totalsLine)
      case .rates:
        rows.filter { report.interval != nil && !$0.moved.isZero }.sorted(by: \.moved)
          .map { ratesLine($0, over: report.interval) }
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

  private func ratesLine(_ row: UsageRow, over interval: Duration?) -> String {
    let rates = row.moved.rates(over: interval)
    return processLine(rates.received.bytesPerSecond.fixed(0), rates.sent.bytesPerSecond.fixed(0), row)
  }

  private func processLine(_ received: String, _ sent: String, _ row: UsageRow) -> String {
    let name = row.name.escapingControlCharacters.shortened(to: Self.nameLimit)
    return "\(received.rightAligned(in: 10)) / \(sent.rightAligned(in: 10)) -- \(name)"
  }

  private func applicationLine(_ row: UsageRow, over interval: Duration?) -> String {
    let rates = row.moved.rates(over: interval)
    let received = rates.received.kibibytesPerSecond.fixed(2).rightAligned(in: 10)
    let sent = rates.sent.kibibytesPerSecond.fixed(2).rightAligned(in: 10)
    return "\(received) KiB / \(sent) KiB -- \(row.name.escapingControlCharacters)"
  }

  private func isBusy(_ rates: Rates) -> Bool {
    max(rates.received, rates.sent) > .kibibytesPerSecond(1)
  }
}

extension [UsageRow] {
  fileprivate func sorted(by usage: KeyPath<UsageRow, Usage>) -> [UsageRow] {
    sorted { left, right in
      let (first, second) = (left[keyPath: usage], right[keyPath: usage])
      return (first.received, first.sent, left.name) < (second.received, second.sent, right.name)
    }
  }
}
