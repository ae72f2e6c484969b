import Aggregation
import INI
import Model
import Testing

@Suite struct AggregatorReloadTests {
  @Test func `new rules move processes, not what they moved`() throws {
    var aggregator = Aggregator(rules: try rules("Web=nginx", "SSH=sshd"))
    let nginx = process(1, "nginx")
    let sshd = process(2, "sshd")
    _ = aggregator.absorb([measured([reading(nginx, 10), reading(sshd, 20)])], at: noon)
    aggregator.reload(rules: try rules("Front=nginx", "SSH=ssh"))
    let idle = aggregator.absorb([measured([])], at: noon)
    #expect(idle.row("Web")?.total.received == 10 && idle.pids("Web") == [])
    #expect(idle.row("Front")?.total == .zero && idle.pids("Front") == [1])
    #expect(idle.row("SSH")?.total.received == 20 && idle.pids("SSH") == [2])
    let report = aggregator.absorb([measured([reading(nginx, 1), reading(sshd, 2)])], at: noon)
    #expect(report.row("Web")?.total.received == 10)
    #expect(report.row("Front")?.total.received == 1)
    #expect(report.row("SSH")?.total.received == 22)
    #expect(report.sumOfTotals == report.balance.total)
  }

  @Test func `the late bytes of an ended process follow the new rules`() throws {
    var aggregator = Aggregator(rules: try rules("Web=nginx"))
    let nginx = process(1, "nginx")
    _ = aggregator.absorb([measured([reading(nginx, 10)], exited: [nginx])], at: noon)
    aggregator.reload(rules: try rules("Front=nginx"))
    let report = aggregator.absorb([measured([reading(nginx, 1)])], at: noon)
    #expect(report.row("Web")?.total.received == 10)
    #expect(report.row("Front")?.total.received == 1 && report.pids("Front") == [])
  }

  @Test func `a process that could not be read stays where it is`() throws {
    var aggregator = Aggregator(rules: ApplicationRules())
    let unknown = Reading(owner: .process(ProcessIdentity(pid: 7, startTime: 1)), usage: Usage(received: 5))
    _ = aggregator.absorb([measured([unknown])], at: noon)
    aggregator.reload(rules: try rules("All=.*"))
    let report = aggregator.absorb([measured([unknown])], at: noon)
    #expect(report.pids("pid 7") == [7] && report.row("pid 7")?.total.received == 10)
  }

  @Test func `a file with a wrong expression never becomes rules`() throws {
    var aggregator = Aggregator(rules: try rules("Web=nginx"))
    _ = aggregator.absorb([measured([reading(process(1, "nginx"), 10)])], at: noon)
    let error = #expect(throws: INIError.self) {
      aggregator.reload(rules: try rules("Web=nginx", "SSH=*sshd"))
    }
    #expect(error?.line == 4)
    let report = aggregator.absorb([measured([reading(process(1, "nginx"), 1)])], at: noon)
    #expect(report.row("Web")?.total.received == 11)
  }
}
