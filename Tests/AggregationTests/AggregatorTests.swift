import Aggregation
import Model
import Testing

@Suite struct AggregatorTests {
  @Test func `two processes of one program under two users are one application with two members`() throws {
    var aggregator = Aggregator(rules: try rules("Web=nginx"))
    let report = aggregator.absorb(
      [
        measured([reading(process(7, "nginx", uid: 33), 100, 1), reading(process(5, "nginx", uid: 0), 20, 2)])
      ],
      at: noon)
    #expect(
      report.rows == [
        UsageRow(
          name: "Web", subject: .application(pids: [5, 7]), total: Usage(received: 120, sent: 3),
          moved: Usage(received: 120, sent: 3))
      ])
    #expect(report.time == noon && report.interval == .seconds(1))
  }

  @Test func `what is not tracked is a row of its own, and no part of the total`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    _ = aggregator.absorb([measured([reading(.untracked, 40, 2)])], at: noon)
    let report = aggregator.absorb(
      [measured([reading(.untracked, 2, 1), reading(process(1, "curl"), 5)])], at: noon)
    #expect(
      report.row(UsageRow.untrackedName)
        == UsageRow(
          name: "(untracked)", subject: .remainder, total: Usage(received: 42, sent: 3),
          moved: Usage(received: 2, sent: 1)))
    #expect(report.balance.untracked == Usage(received: 42, sent: 3))
    #expect(report.balance.total == Usage(received: 5, sent: 0))
    #expect(report.sumOfTotals == report.balance.total + report.balance.untracked)
  }

  @Test func `without rules each command line is an application`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    let report = aggregator.absorb(
      [measured([reading(process(1, "curl a"), 1), reading(process(2, "curl b"), 2)])], at: noon)
    #expect(report.row("curl a")?.total.received == 1)
    #expect(report.pids("curl b") == [2])
  }

  @Test func `totals grow, what moved is of the tick, idle applications stay`() throws {
    var aggregator = Aggregator(rules: try rules("Web=nginx"))
    let nginx = process(1, "nginx")
    _ = aggregator.absorb([measured([reading(nginx, 10, 1)])], at: noon)
    let second = aggregator.absorb([measured([reading(nginx, 5, 2)])], at: noon)
    #expect(second.row("Web")?.total == Usage(received: 15, sent: 3))
    #expect(second.row("Web")?.moved == Usage(received: 5, sent: 2))
    let third = aggregator.absorb([measured([])], at: noon)
    #expect(third.row("Web")?.total == Usage(received: 15, sent: 3))
    #expect(third.row("Web")?.moved == .zero)
    #expect(third.pids("Web") == [1])
  }

  @Test func `the lookback is in the totals and never moved`() throws {
    var aggregator = Aggregator(rules: ApplicationRules())
    let first = aggregator.absorb(
      [measured([reading(process(1, "a"), 1000), reading(.kernel, 7)], interval: nil)], at: noon)
    #expect(first.interval == nil)
    #expect(first.row("a")?.total.received == 1000 && first.row("a")?.moved == .zero)
    #expect(first.row("(kernel)")?.total.received == 7 && first.row("(kernel)")?.moved == .zero)
    // A monitor that starts later looks back while another measures.
    let second = aggregator.absorb(
      [
        measured([reading(process(1, "a"), 500)], interval: nil),
        measured([reading(process(1, "a"), 3)], interval: .seconds(2)), measured([], interval: .seconds(1)),
      ], at: noon)
    #expect(second.interval == .seconds(2))
    #expect(second.row("a")?.total.received == 1503 && second.row("a")?.moved.received == 3)
  }

  @Test func `an exited member leaves its bytes and not its pid`() throws {
    var aggregator = Aggregator(rules: try rules("Web=nginx"))
    let old = process(1, "nginx")
    let new = process(2, "nginx")
    _ = aggregator.absorb([measured([reading(old, 10), reading(new, 1)])], at: noon)
    let report = aggregator.absorb([measured([reading(old, 5)], exited: [old])], at: noon)
    #expect(report.row("Web")?.total.received == 16 && report.row("Web")?.moved.received == 5)
    #expect(report.pids("Web") == [2])
    // The last bytes of a connection may be counted after its process.
    let late = aggregator.absorb([measured([reading(old, 100)])], at: noon)
    #expect(late.row("Web")?.total.received == 116)
    #expect(late.pids("Web") == [2])
  }

  @Test func `an application has ended with its last process, and one that only pipes move has not`() throws {
    var aggregator = Aggregator(rules: try rules("Web=nginx"))
    let nginx = process(1, "nginx")
    let pipe = Reading(owner: .pipe("pipe-1"), usage: Usage(received: 1, sent: 1))
    var report = aggregator.absorb([measured([reading(nginx, 10), pipe])], at: noon)
    #expect(report.rows.allSatisfy { !$0.hasEnded })
    report = aggregator.absorb([measured([], exited: [nginx])], at: noon)
    #expect(report.rows.filter(\.hasEnded).map(\.name) == ["Web"])
    report = aggregator.absorb([measured([reading(process(2, "nginx"), 10)])], at: noon)
    #expect(report.rows.allSatisfy { !$0.hasEnded } && report.row("Web")?.total.received == 20)
  }

  @Test func `a process that starts and ends within a tick is never alive`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    let curl = process(1, "curl")
    let report = aggregator.absorb([measured([reading(curl, 10)], exited: [curl])], at: noon)
    #expect(report.row("curl")?.moved.received == 10)
    #expect(report.pids("curl") == [])
  }

  @Test func `an exit that nobody knows of, or that two meters report, changes nothing`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    let a = process(1, "a")
    _ = aggregator.absorb([measured([reading(a, 1), reading(process(2, "a"), 1)])], at: noon)
    let report = aggregator.absorb(
      [measured([], exited: [a, process(9, "x")]), measured([reading(a, 1)], exited: [a])], at: noon)
    #expect(report.pids("a") == [2] && report.row("a")?.total.received == 3)
  }

  @Test func `a pid that is used again is another process`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    let before = process(1, "a", start: 10)
    let after = process(1, "b", start: 20)
    _ = aggregator.absorb([measured([reading(before, 1)])], at: noon)
    let report = aggregator.absorb([measured([reading(after, 2)], exited: [before])], at: noon)
    #expect(report.row("a")?.total.received == 1 && report.pids("a") == [])
    #expect(report.row("b")?.total.received == 2 && report.pids("b") == [1])
  }

  @Test func `after an exec only new bytes are of the new program`() throws {
    var aggregator = Aggregator(rules: try rules("SSH=^sshd", "Web=nginx"))
    _ = aggregator.absorb([measured([reading(process(1, "sshd"), 10)])], at: noon)
    let report = aggregator.absorb([measured([reading(process(1, "nginx"), 5)])], at: noon)
    #expect(report.row("SSH")?.total.received == 10 && report.pids("SSH") == [])
    #expect(report.row("Web")?.total.received == 5 && report.pids("Web") == [1])
    // A title that changes within the application changes nothing.
    let titled = aggregator.absorb([measured([reading(process(1, "nginx: worker"), 1)])], at: noon)
    #expect(titled.row("Web")?.total.received == 6 && titled.pids("Web") == [1])
  }

  @Test func `a child keeps its application when its parent is gone`() throws {
    var aggregator = Aggregator(rules: try rules("SSH=^sshd", inherit: true))
    _ = aggregator.absorb([measured([reading(process(1, "job", ancestors: ["sshd: a"]), 1)])], at: noon)
    let report = aggregator.absorb([measured([reading(process(1, "job", ancestors: ["init"]), 1)])], at: noon)
    #expect(report.row("SSH")?.total.received == 2)
  }

  @Test func `a process that could not be read is named by its pid, until it can be`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    let curl = process(7, "curl")
    let unknown = Reading(owner: .process(curl.identity), usage: Usage(received: 5))
    let first = aggregator.absorb([measured([unknown])], at: noon)
    #expect(first.pids("pid 7") == [7])
    _ = aggregator.absorb([measured([reading(curl, 1)])], at: noon)
    let third = aggregator.absorb([measured([unknown])], at: noon)
    #expect(third.pids("pid 7") == [] && third.row("pid 7")?.total.received == 5)
    #expect(third.pids("curl") == [7] && third.row("curl")?.total.received == 6)
  }

  @Test func `what has no owner has rows of its own`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    let owners: [Owner] = [.forwarded, .kernel] + Owner.Reason.allCases.map(Owner.unattributed)
    let readings = owners.enumerated().map { reading($1, UInt64($0 + 1), 1) }
    _ = aggregator.absorb([measured(readings)], at: noon)
    let report = aggregator.absorb([measured([reading(.forwarded, 10)])], at: noon)
    #expect(
      report.rows.map(\.name) == [
        "(forwarded)", "(kernel)", "(unattributed: exited)", "(unattributed: ambiguous)",
        "(unattributed: no_socket)",
        "(unattributed: denied)", "(unattributed: no_holder)",
      ])
    #expect(report.rows.allSatisfy { $0.subject == .remainder })
    #expect(report.rows.map(\.total.received) == [11, 2, 3, 4, 5, 6, 7])
    #expect(report.rows.map(\.moved.received) == [10, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a process may call itself as a remainder does`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    let report = aggregator.absorb(
      [measured([reading(process(1, "(kernel)"), 1), reading(.kernel, 2)])], at: noon)
    #expect(report.rows.map(\.subject) == [.application(pids: [1]), .remainder])
    #expect(report.rows.map(\.total.received) == [1, 2])
  }

  @Test func `a pipe is claimed by its name`() throws {
    var aggregator = Aggregator(rules: try rules("Web=^pipe-80:"))
    let readings = [
      reading(.pipe("pipe-80:h:80"), 1), reading(.pipe("pipe-22:h:22"), 2), reading(.pipe("pipe-22:h:22"), 3),
    ]
    let report = aggregator.absorb([measured(readings)], at: noon)
    #expect(report.row("Web")?.total.received == 1 && report.pids("Web") == [])
    #expect(report.row("pipe-22:h:22")?.total.received == 5)
  }

  @Test func `balance is summed over time, health over the meters`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    var health = Health()
    health.flows = 3
    health.missedEvents = 2
    health.evicted = 1
    var one = measured(
      [reading(process(1, "a"), 10), reading(.forwarded, 5, 5)], hidden: Usage(received: 100))
    one.health = health
    one.balance.loopback = Usage(received: 4, sent: 4)
    _ = aggregator.absorb([one, one], at: noon)
    let report = aggregator.absorb([one, one], at: noon)
    #expect(report.balance.attributed == Usage(received: 440))
    #expect(report.balance.forwarded == Usage(received: 20, sent: 20))
    #expect(report.balance.hidden == Usage(received: 400))
    #expect(report.balance.loopback == Usage(received: 16, sent: 16))
    #expect(report.health.flows == 6 && report.health.missedEvents == 4 && report.health.evicted == 2)
    #expect(report.sumOfTotals + report.balance.hidden == report.balance.total)
  }

  @Test func `searches that were given up are counted once for a process`() throws {
    var aggregator = Aggregator(rules: try rules("Evil=(a+)+$"))
    let evil = process(1, String(repeating: "a", count: 5000) + "!")
    _ = aggregator.absorb([measured([reading(evil, 1)])], at: noon)
    let report = aggregator.absorb([measured([reading(evil, 1)])], at: noon)
    #expect(report.health.abandonedSearches == 1)
    #expect(report.row(evil.commandLine) != nil || report.rows.count == 1)
  }

  @Test func `a tick without meters reports what is known`() {
    var aggregator = Aggregator(rules: ApplicationRules())
    _ = aggregator.absorb([measured([reading(process(1, "a"), 1)])], at: noon)
    let report = aggregator.absorb([], at: noon)
    #expect(report.interval == nil && report.row("a")?.total.received == 1)
  }
}
