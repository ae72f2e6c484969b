import Aggregation
import Model
import Testing

@Suite struct AggregatorBoundTests {
  private func aggregator(applications: Int = 10_000, processes: Int = 100_000, exited: Int = 1000)
    -> Aggregator
  {
    var limits = Aggregator.Limits()
    limits.applications = applications
    limits.processes = processes
    limits.exitedProcesses = exited
    return Aggregator(rules: ApplicationRules(), limits: limits)
  }

  @Test func `the application that ended and was active the longest ago is folded`() {
    var aggregator = aggregator(applications: 3)
    let (a, b, c, d) = (process(1, "a"), process(2, "b"), process(3, "c"), process(4, "d"))
    _ = aggregator.absorb(
      [measured([reading(a, 1), reading(b, 2), reading(c, 3)], exited: [a, b])], at: noon)
    _ = aggregator.absorb([measured([reading(a, 10)])], at: noon)
    let report = aggregator.absorb([measured([reading(d, 4)])], at: noon)
    #expect(Set(report.rows.map(\.name)) == ["a", "c", "d", "(evicted)"])
    #expect(report.row("(evicted)")?.total.received == 2)
    #expect(report.row("(evicted)")?.moved == .zero)
    #expect(report.row("(evicted)")?.subject == .remainder)
    #expect(report.health.evicted == 1)
    #expect(report.sumOfTotals == report.balance.total)
    // Its late bytes make it a new row, for which the next one goes.
    let late = aggregator.absorb([measured([reading(b, 20)])], at: noon)
    #expect(late.row("b")?.total.received == 20 && late.pids("b") == [])
    #expect(late.row("(evicted)")?.total.received == 13)
    #expect(late.sumOfTotals == late.balance.total)
  }

  @Test func `where all applications live a new one is counted as evicted, until one ends`() {
    var aggregator = aggregator(applications: 2)
    let (a, b, c) = (process(1, "a"), process(2, "b"), process(3, "c"))
    let first = aggregator.absorb([measured([reading(a, 1), reading(b, 2), reading(c, 3)])], at: noon)
    #expect(first.row("(evicted)")?.moved.received == 3 && first.health.evicted == 1)
    let second = aggregator.absorb([measured([reading(c, 3)], exited: [a])], at: noon)
    #expect(second.row("(evicted)")?.total.received == 6 && second.health.evicted == 1)
    let third = aggregator.absorb([measured([reading(c, 4)])], at: noon)
    #expect(third.row("c")?.total.received == 4 && third.pids("c") == [3])
    #expect(third.row("(evicted)")?.total.received == 7 && third.row("(evicted)")?.moved == .zero)
    #expect(third.sumOfTotals == third.balance.total)
  }

  @Test func `a flood of new names stays within the bound`() {
    var aggregator = aggregator(applications: 50, exited: 20)
    var pid: Int32 = 0
    var most = 0
    for _ in 0..<40 {
      let flood = (0..<37).map { _ in
        pid += 1
        return process(pid, "x\(pid)")
      }
      let report = aggregator.absorb([measured(flood.map { reading($0, 1) }, exited: flood)], at: noon)
      most = max(most, report.rows.count)
      #expect(report.sumOfTotals == report.balance.total)
      #expect(report.sumOfMoved.received == 37)
    }
    #expect(most == 51)
  }

  @Test func `forgotten processes keep their bytes and come back when they move`() {
    var aggregator = aggregator(processes: 4)
    let all = (1...6).map { process($0, "p") }
    _ = aggregator.absorb([measured([reading(all[0], 1)])], at: noon)
    let report = aggregator.absorb([measured(all.dropFirst().map { reading($0, 1) })], at: noon)
    #expect(report.row("p")?.total.received == 6)
    #expect(report.pids("p")?.contains(1) == false)
    #expect(report.health.evicted > 0)
    let back = aggregator.absorb([measured([reading(all[0], 1)])], at: noon)
    #expect(back.pids("p")?.contains(1) == true && back.row("p")?.total.received == 7)
  }
}
