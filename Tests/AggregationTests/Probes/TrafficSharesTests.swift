import Aggregation
import Model
import Testing

@Suite struct TrafficSharesTests {
  private func row(
    _ name: String, _ received: UInt64, _ sent: UInt64, _ subject: UsageRow.Subject = .application(pids: [1])
  ) -> UsageRow {
    let moved = Usage(received: received, sent: sent)
    return UsageRow(name: name, subject: subject, total: moved, moved: moved)
  }

  private func words(_ rows: [UsageRow], interval: Duration? = .seconds(1)) -> [String] {
    TrafficShares.top(
      of: UsageReport(
        time: noon, interval: interval, rows: rows, balance: Balance(), health: Health())
    ).map { "\($0.name) \($0.percent) \($0.direction.rawValue)" }
  }

  @Test func `the three that moved most in the greater direction, with their shares`() {
    #expect(
      words([
        row("small", 0, 10), row("Backup", 5, 600), row("mail", 0, 90), row("web", 100, 200),
        row("b", 0, 100),
      ]) == ["Backup 60.0 sent", "web 20.0 sent", "b 10.0 sent"])
    #expect(
      words([row("Backup", 0, 100), row("web", 300, 0), row("mail", 100, 0)]) == [
        "web 75.0 received", "mail 25.0 received",
      ])
    #expect(words([row("b", 1, 1), row("a", 1, 1)]) == ["a 50.0 sent", "b 50.0 sent"])
  }

  @Test func `who moved next to nothing is not named`() {
    #expect(words([row("Backup", 0, 995), row("idle", 0, 5)]) == ["Backup 99.5 sent"])
  }

  @Test func `bytes without a name count in the whole, clients of a pipe do not count twice`() {
    let client = UsageRow.Subject.client(pipe: "p", address: nil, process: nil, open: 1)
    #expect(
      words([row("Backup", 0, 50), row("(kernel)", 0, 50, .remainder), row("somebody", 0, 900, client)])
        == ["Backup 50.0 sent"])
  }

  @Test func `without bytes or an interval nobody is named`() {
    #expect(words([]).isEmpty)
    #expect(words([row("a", 0, 0)]).isEmpty)
    #expect(words([row("a", 0, 9)], interval: nil).isEmpty)
  }
}
