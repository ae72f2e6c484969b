import Model
import Patterns
import Testing

@testable import Monitors

@Suite struct IncludeNoticeTests {
  struct Tick: Sendable {
    var after: Int
    var rows = 0
    var hidden: UInt64 = 0
    var isLast = false
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var isFiltering = true
    var ticks: [Tick]
    /// How many ticks there are when it is said; nil for never.
    var saidAt: Int?
  }

  static let rows = [
    Row(testDescription: "no filter", isFiltering: false, ticks: [Tick(after: 60, hidden: 9, isLast: true)]),
    Row(testDescription: "something is found", ticks: [Tick(after: 1, rows: 1), Tick(after: 60, hidden: 9)]),
    Row(testDescription: "nothing moves", ticks: [Tick(after: 1), Tick(after: 99, isLast: true)]),
    Row(
      testDescription: "only others move, said once",
      ticks: [Tick(after: 1, hidden: 5), Tick(after: 10, hidden: 5), Tick(after: 11, hidden: 6)], saidAt: 2),
    Row(
      testDescription: "the last report is early", ticks: [Tick(after: 2, hidden: 5, isLast: true)], saidAt: 1
    ),
    Row(
      testDescription: "found before the time is over",
      ticks: [Tick(after: 1, hidden: 5), Tick(after: 9, rows: 1, hidden: 5), Tick(after: 20, hidden: 5)]),
  ]

  @Test(arguments: rows) func `what is not found is said once`(row: Row) throws {
    let some = MonitorFilter(include: [try Pattern("a")])
    var notice = IncludeNotice(row.isFiltering ? [some, some] : [some, MonitorFilter()], option: "include=")
    for (index, tick) in row.ticks.enumerated() {
      let rows = (0..<tick.rows).map { number in
        UsageRow(
          name: "a", subject: .process(pid: Int32(number), uid: 0, exited: false), total: .zero, moved: .zero)
      }
      let remainder = UsageRow(name: "(kernel)", subject: .remainder, total: .zero, moved: .zero)
      let balance = Balance(hidden: Usage(received: tick.hidden, sent: 0))
      let report = UsageReport(
        time: Timestamp(seconds: 0), interval: .seconds(1), rows: rows + [remainder], balance: balance,
        health: Health())
      let said = notice.update(with: report, after: .seconds(tick.after), isLast: tick.isLast)
      #expect(said?.text.contains("that include= finds") ?? true)
      #expect((said != nil) == (row.saidAt == index + 1), "tick \(index)")
    }
  }
}
