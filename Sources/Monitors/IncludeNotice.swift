public import Model

/// Says once that nothing that moves bytes has a name that is to be shown: most likely the expression is wrong.
public struct IncludeNotice: Sendable {
  /// So long nothing is said: what is wanted may just be idle.
  public static let patience = Duration.seconds(10)

  private var isDue: Bool
  private let option: String

  /// Makes a notice for filters all of which include some only, or one that never says anything. `option` is how the
  /// user writes them.
  public init(_ filters: [MonitorFilter], option: String) {
    isDue = !filters.isEmpty && filters.allSatisfy { !$0.include.isEmpty }
    self.option = option
  }

  /// Takes a report that came `elapsed` after the start; returns what is to be said, if anything. With `isLast` no other
  /// will come.
  public mutating func update(with report: UsageReport, after elapsed: Duration, isLast: Bool) -> Warning? {
    guard isDue else { return nil }
    if report.rows.contains(where: { $0.subject != .remainder }) {
      isDue = false
      return nil
    }
    guard isLast || elapsed >= Self.patience, !report.balance.hidden.isZero else { return nil }
    isDue = false
    return Warning(
      code: "include_finds_nothing",
      text: "no process that moves bytes has a command line that \(option) finds, and others moved "
        + "\(report.balance.hidden.sum) bytes: look at their names without \(option).", isNote: true)
  }
}
