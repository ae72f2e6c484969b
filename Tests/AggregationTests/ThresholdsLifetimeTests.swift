import Model
import Testing

@testable import Aggregation

@Suite struct ThresholdsLifetimeTests {
  @Test func `an application whose last process ended is gone`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10")
    for _ in 0..<15 { watching.tick(1000) }
    // The tick of its end still has bytes.
    watching.tick(500, pids: [])
    for _ in 0..<30 { watching.tick(0, pids: []) }
    #expect(watching.reported == ["10 firing received app", "17 gone received app"])
    #expect(watching.thresholds.trackedCount == 0)
  }

  @Test func `an alert is kept firing while the application is gone, too`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nkeep_firing_for=5")
    // A loop of short processes: between two of them nothing is left.
    for second in 0..<40 { watching.tick(second % 4 == 0 ? 1000 : 0, pids: second % 4 == 0 ? [7] : []) }
    #expect(watching.reported == ["1 firing received app"])
    for _ in 0..<10 { watching.tick(0, pids: []) }
    #expect(watching.reported == ["1 firing received app", "42 gone received app"])
    #expect(watching.thresholds.trackedCount == 0)
  }

  @Test func `an alert is kept firing without a row, too`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nkeep_firing_for=3")
    watching.tick(200)
    for _ in 0..<2 { watching.tick(rows: []) }
    watching.tick(200)
    #expect(watching.reported == ["1 firing received app"])
    for _ in 0..<4 { watching.tick(rows: []) }
    #expect(watching.reported == ["1 firing received app", "7 gone received app"])
    #expect(watching.thresholds.trackedCount == 0)
  }

  @Test func `an end within the tick is gone, not below`() throws {
    var watching = try Watching("[r]\nin_threshold=100")
    watching.tick(200)
    watching.tick(30, pids: [])
    #expect(watching.reported == ["1 firing received app", "2 gone received app"])
  }

  @Test func `an application without a row is gone`() throws {
    var watching = try Watching("[r]\nin_threshold=100\nout_threshold=100")
    watching.tick(200, 200)
    watching.tick(rows: [])
    watching.tick(rows: [])
    #expect(
      watching.reported == [
        "1 firing received app", "1 firing sent app", "2 gone received app", "2 gone sent app",
      ])
    #expect(watching.thresholds.trackedCount == 0)
  }

  @Test func `processes that each live for less than a tick are one application that goes on`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=5")
    for second in 0..<30 { watching.tick(200, pids: second % 3 == 0 ? [Int32(second)] : []) }
    #expect(watching.reported == ["5 firing received app"])
    for _ in 0..<3 { watching.tick(0, pids: []) }
    #expect(watching.reported.last == "31 gone received app" && watching.reported.count == 2)
  }

  @Test func `a pipe has no process and is not gone for that`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=4")
    for second in 0..<10 { watching.tick(second % 2 == 0 ? 0 : 300, 0, "pipe-80:h:80", pids: []) }
    #expect(watching.reported == ["4 firing received pipe-80:h:80"])
    for _ in 0..<5 { watching.tick(0, 0, "pipe-80:h:80", pids: []) }
    #expect(watching.reported.last == "12 below received pipe-80:h:80")
  }

  @Test func `who ends on the way to an alert raises none`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10\nfor=5")
    for _ in 0..<20 { watching.tick(0) }
    for _ in 0..<2 { watching.tick(5000) }
    for _ in 0..<30 { watching.tick(0, pids: []) }
    #expect(watching.reported.isEmpty)
  }

  @Test func `what is gone starts from the beginning`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10")
    for _ in 0..<10 { watching.tick(1000) }
    watching.tick(0, pids: [])
    watching.tick(10, pids: [2])
    #expect(watching.reported == ["10 firing received app", "11 gone received app"])
    // Its window would say 900.
    #expect(watching.alerts.last?.value == .zero)
  }

  /// Its last processes moved a little in the tick in which they ended; the window still has what they moved before.
  @Test func `the rate of what is gone is that of its last tick`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10")
    for _ in 0..<10 { watching.tick(105) }
    watching.tick(30, pids: [])
    #expect(watching.reported.last == "11 gone received app")
    #expect(watching.alerts.last?.value == .kibibytesPerSecond(30))
  }

  @Test func `a filter is searched in the name, and remainders are only named`() throws {
    var watching = try Watching(
      """
      [ssh]
      process_filter=ssh
      in_threshold=1
      [all]
      in_threshold=1
      [routed]
      process_filter=(forwarded)
      in_threshold=1
      [exited]
      process_filter=(unattributed: exited)
      in_threshold=1
      [unseen]
      process_filter=(untracked)
      in_threshold=1
      """)
    let moved = Usage(received: 10_000)
    watching.tick(rows: [
      row("openssh", moved), row("forwarded", moved), remainder("(forwarded)", moved),
      remainder("(kernel)", moved),
      remainder("(unattributed: exited)", moved), remainder("(untracked)", moved),
      remainder("(evicted)", moved),
      row("(forwarded)", moved, [5]),
    ])
    #expect(
      watching.alerts.map { "\($0.rule) \($0.subject)" } == [
        "ssh openssh", "all openssh", "all forwarded", "routed (forwarded)", "exited (unattributed: exited)",
        "unseen (untracked)", "all (forwarded)",
      ])
    #expect(watching.alerts.last?.pids == [5])
    watching.tick(rows: [remainder("(forwarded)", .zero), remainder("(unattributed: exited)", .zero)])
    #expect(watching.alerts.first { $0.rule == "routed" && $0.state != .firing }?.state == .resolved(.below))
  }

  @Test func `idle applications are forgotten and nothing is lost by it`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=5")
    let names = (0..<200).map { "app \($0)" }
    watching.tick(rows: names.map { row($0, Usage(received: 100)) })
    #expect(watching.thresholds.trackedCount == 200)
    for _ in 0..<5 { watching.tick(rows: names.map { row($0, .zero) }) }
    #expect(watching.thresholds.trackedCount == 0)
    watching.tick(rows: [row("app 7", Usage(received: 600 * 1024))])
    #expect(watching.reported == ["7 firing received app 7"])
  }

  @Test func `a filter that takes too long does not match and is counted`() throws {
    var watching = try Watching("[r]\nprocess_filter=(a+)+$\nin_threshold=1")
    watching.tick(1000, 0, String(repeating: "a", count: 4000) + "!")
    #expect(watching.reported.isEmpty && watching.thresholds.abandonedSearches == 1)
  }

  @Test func `without rules nothing is remembered`() throws {
    var watching = try Watching("")
    for _ in 0..<5 { watching.tick(1000) }
    #expect(watching.reported.isEmpty && watching.thresholds.trackedCount == 0)
  }
}

@Suite struct ThresholdsReloadTests {
  @Test func `a rule that survives keeps its average and what fires`() throws {
    var watching = try Watching("[a]\nin_threshold=100\ninterval=10\n[b]\nin_threshold=300\ninterval=10")
    for _ in 0..<12 { watching.tick(200) }
    #expect(watching.reported == ["10 firing received app"])
    watching.thresholds.reload(
      rules: try thresholdRules("[b]\nin_threshold=150\ninterval=10\n[a]\nin_threshold=100\ninterval=10"))
    watching.tick(200)
    // [a] is not raised again; [b], whose window is full, is at once above its new limit.
    #expect(watching.alerts.map(\.rule) == ["a", "b"] && watching.reported.last == "13 firing received app")
    for _ in 0..<20 { watching.tick(0) }
    #expect(watching.alerts.map(\.rule) == ["a", "b", "b", "a"])
  }

  @Test(arguments: [
    "", "[other]\nin_threshold=100", "[a]\nout_threshold=100", "[a]\nprocess_filter=^web\nin_threshold=100",
  ])
  func `what fires for something that is gone is resolved as removed`(text: String) throws {
    var watching = try Watching("[a]\nin_threshold=100")
    watching.tick(200)
    watching.thresholds.reload(rules: try thresholdRules(text))
    watching.tick(rows: [row("app", Usage(received: 1))])
    let removed = try #require(watching.alerts.dropFirst().first)
    #expect(removed.rule == "a" && removed.state == .resolved(.removed) && removed.pids == [1])
    #expect(removed.since == Timestamp(seconds: 1) && removed.time == Timestamp(seconds: 2))
    #expect(removed.value == .kibibytesPerSecond(200))
    watching.tick(0)
    #expect(watching.alerts.count == 2)
  }

  @Test func `a removed rule is reported even with a report that has no rates`() throws {
    var watching = try Watching("[a]\nin_threshold=100")
    watching.tick(200)
    watching.thresholds.reload(rules: [])
    watching.tick(rows: [], isTimed: false)
    #expect(watching.reported == ["1 firing received app", "2 removed received app"])
  }

  @Test func `a new rule and a new interval wait for a full window`() throws {
    var watching = try Watching("[a]\nin_threshold=100\ninterval=5")
    for _ in 0..<20 { watching.tick(90) }
    watching.thresholds.reload(
      rules: try thresholdRules("[a]\nin_threshold=80\ninterval=10\n[b]\nin_threshold=80\ninterval=5"))
    for _ in 0..<30 { watching.tick(90) }
    #expect(watching.reported == ["25 firing received app", "30 firing received app"])
    #expect(watching.alerts.map(\.rule) == ["b", "a"])
  }

  @Test func `a lowered limit resolves nothing, a raised one does`() throws {
    var watching = try Watching("[a]\nin_threshold=100")
    watching.tick(200)
    watching.thresholds.reload(rules: try thresholdRules("[a]\nin_threshold=50"))
    watching.tick(200)
    #expect(watching.reported.count == 1)
    watching.thresholds.reload(rules: try thresholdRules("[a]\nin_threshold=500"))
    watching.tick(200)
    #expect(watching.reported == ["1 firing received app", "3 below received app"])
  }
}
