import Aggregation
import Model
import Testing

/// Who moved most through eth0 (2) and eth1 (3).
@Suite struct TrafficSharesTests {
  private static let eth0 = IPAddress(v4: 0x0a00_0001)
  private static let sixOfEth0 = IPAddress(high: 0x2001 << 48, low: 1)
  private static let eth1 = IPAddress(v4: 0x0a01_0001)

  private func row(_ name: String, _ parts: (Int32, Usage)...) -> UsageRow {
    let all = parts.reduce(Usage.zero) { $0 + $1.1 }
    var row = UsageRow(name: name, subject: .application(pids: [1]), total: all, moved: all)
    row.interfaces = parts.map { InterfaceUsage(interface: $0.0, usage: $0.1) }
    return row
  }

  private func row(_ name: String, _ received: UInt64, _ sent: UInt64) -> UsageRow {
    row(name, (2, Usage(received: received, sent: sent)))
  }

  /// The words for rows that are all that moved, beside `others`.
  private func words(
    _ rows: [UsageRow], others: Usage = .zero, through addresses: Set<IPAddress> = [eth0]
  ) -> [String] {
    var report = UsageReport(
      time: noon, interval: .seconds(1), rows: rows, balance: Balance(), health: Health())
    for (address, interface) in [(Self.eth0, Int32(2)), (Self.sixOfEth0, 2), (Self.eth1, 3)] {
      let usage = rows.reduce(others) { $0 + $1.interfaces.usage(of: [interface]) }
      report.paths.append(PathUsage(address: address, interface: interface, usage: usage))
    }
    return TrafficShares.top(of: report, through: addresses).map {
      "\($0.name) \($0.percent) \($0.direction.rawValue)"
    }
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

  @Test func `what moved through another interface does not count`() {
    let rows = [
      row("Backup", (3, Usage(received: 0, sent: 9000))),
      row("web", (2, Usage(received: 10, sent: 75)), (3, Usage(received: 0, sent: 1000))), row("mail", 0, 25),
    ]
    #expect(words(rows) == ["web 75.0 sent", "mail 25.0 sent"])
    #expect(words(rows, through: [Self.eth1]) == ["Backup 90.0 sent", "web 10.0 sent"])
    // Two addresses of one interface count once.
    #expect(words(rows, through: [Self.eth0, Self.sixOfEth0]) == words(rows))
    #expect(
      words([rows[0], row("web", 0, 1000)], through: [Self.eth0, Self.eth1]).first == "Backup 90.0 sent")
    #expect(words(rows, through: [IPAddress(v4: 9)]).isEmpty && words(rows, through: []).isEmpty)
  }

  @Test func `who moved next to nothing is not named`() {
    #expect(words([row("Backup", 0, 995), row("idle", 0, 5)]) == ["Backup 99.5 sent"])
  }

  @Test func `bytes without a row count in the whole`() {
    #expect(words([row("Backup", 0, 50)], others: Usage(received: 0, sent: 50)) == ["Backup 50.0 sent"])
  }

  @Test func `without bytes nobody is named`() {
    #expect(words([]).isEmpty)
    #expect(words([row("a", 0, 0)]).isEmpty)
  }
}
