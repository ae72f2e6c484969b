import Lab
import Model
import Testing

@testable import Monitors

@Suite struct ProcessTotalsTests {
  private static let time = Timestamp(seconds: 0)

  private static func reading(_ pid: Int32, _ line: String, _ received: UInt64, _ sent: UInt64) -> Reading {
    let identity = Scenario.process(pid)
    return Reading(
      owner: .process(identity),
      process: ProcessDescription(
        identity: identity, uid: 7, executable: nil, arguments: [], commandLine: line),
      usage: Usage(received, sent))
  }

  /// Adds one interval and returns its rows in words.
  private static func tick(
    _ totals: inout ProcessTotals, _ readings: [Reading], exited: [Int32] = []
  ) -> Set<String> {
    totals.add(
      Measurement(
        interval: .seconds(1), readings: readings, exited: exited.map(Scenario.process)))
    return Set(totals.report(at: time).rows.map(words))
  }

  private static func words(_ row: UsageRow) -> String {
    let who =
      switch row.subject {
      case .process(let pid, _, let exited): "\(pid)\(exited ? " exited" : "")"
      case .exited(let processes): "\(processes) exited"
      default: "-"
      }
    return "\(row.name) | \(who) | \(row.total.received) \(row.total.sent) | \(row.moved.received)"
  }

  @Test func `the row of one that ended is marked once, then its command line has its bytes`() {
    var totals = ProcessTotals()
    #expect(Self.tick(&totals, [Self.reading(1, "a", 5, 6)]) == ["a | 1 | 5 6 | 5"])
    #expect(Self.tick(&totals, [], exited: [1]) == ["a | 1 exited | 5 6 | 0"])
    #expect(Self.tick(&totals, []) == ["a | 1 exited | 5 6 | 0"])
    #expect(
      Self.tick(&totals, [Self.reading(2, "a", 1, 1)]) == ["a | 1 exited | 5 6 | 0", "a | 2 | 1 1 | 1"])
    #expect(Self.tick(&totals, [], exited: [2]) == ["a | 1 exited | 5 6 | 0", "a | 2 exited | 1 1 | 0"])
    #expect(Self.tick(&totals, []) == ["a | 2 exited | 6 7 | 0"])
  }

  @Test func `late bytes of one that ended are its command line's and do not bring it back`() {
    var totals = ProcessTotals()
    _ = Self.tick(&totals, [Self.reading(1, "a", 5, 6)])
    #expect(Self.tick(&totals, [Self.reading(1, "a", 1, 0)], exited: [1]) == ["a | 1 exited | 6 6 | 1"])
    #expect(Self.tick(&totals, [Self.reading(1, "a", 2, 0)]) == ["a | 1 exited | 8 6 | 2"])
    for _ in 0..<200 { _ = Self.tick(&totals, []) }
    // The monitor says that it has ended with each of its bytes.
    #expect(Self.tick(&totals, [Self.reading(1, "a", 10, 0)], exited: []) == ["a | 1 exited | 18 6 | 10"])
    #expect(Self.tick(&totals, [], exited: [1]) == ["a | 1 exited | 18 6 | 0"])
  }

  @Test func `one that ended before it was seen has its row first`() {
    var totals = ProcessTotals()
    #expect(Self.tick(&totals, [Self.reading(1, "a", 5, 6)], exited: [1]) == ["a | 1 exited | 5 6 | 5"])
    #expect(Self.tick(&totals, [], exited: [1]) == ["a | 1 exited | 5 6 | 0"])
  }

  @Test func `another process with the pid has a row of its own`() {
    var totals = ProcessTotals()
    _ = Self.tick(&totals, [Self.reading(1, "a", 5, 6)], exited: [1])
    var other = Self.reading(1, "a", 1, 1)
    other.owner = .process(ProcessIdentity(pid: 1, startTime: 999))
    #expect(Self.tick(&totals, [other]) == ["a | 1 | 1 1 | 1", "a | 1 exited | 5 6 | 0"])
  }

  @Test func `what it ran last is its command line`() {
    var totals = ProcessTotals()
    _ = Self.tick(&totals, [Self.reading(1, "sh", 1, 1)])
    _ = Self.tick(&totals, [Self.reading(1, "curl", 1, 1)], exited: [1])
    #expect(Self.tick(&totals, []) == ["curl | 1 exited | 2 2 | 0"])
  }

  @Test func `one that runs something else and moves nothing has its new name, nobody else a row`() {
    var totals = ProcessTotals()
    _ = Self.tick(&totals, [Self.reading(1, "sh", 1, 2)])
    var measurement = Measurement(interval: .seconds(1), readings: [])
    measurement.renamed = [(1, "curl"), (2, "wget")].compactMap { Self.reading($0, $1, 0, 0).process }
    totals.add(measurement)
    #expect(totals.report(at: Self.time).rows.map(Self.words) == ["curl | 1 | 1 2 | 0"])
    #expect(Self.tick(&totals, [], exited: [1]) == ["curl | 1 exited | 1 2 | 0"])
  }

  @Test func `command lines beyond the limit are folded, those that moved nothing for longest first`() {
    var totals = ProcessTotals(exitedLimit: 2)
    for pid in Int32(1)...3 { _ = Self.tick(&totals, [Self.reading(pid, "\(pid)", 1, 0)], exited: [pid]) }
    #expect(
      Self.tick(&totals, [Self.reading(1, "1", 1, 0)])
        == ["1 | 1 exited | 2 0 | 1", "(evicted) | - | 1 0 | 0", "3 | 1 exited | 1 0 | 0"])
    #expect(totals.report(at: Self.time).health.evicted == 1)
  }

  @Test func `beyond the limit those that ended leave first, and no byte is lost`() {
    var totals = ProcessTotals(limit: 2)
    _ = Self.tick(&totals, [Self.reading(1, "a", 1, 0), Self.reading(2, "b", 2, 0)])
    #expect(
      Self.tick(&totals, [Self.reading(3, "c", 3, 0)], exited: [2])
        == ["a | 1 | 1 0 | 0", "b | 1 exited | 2 0 | 0", "c | 3 | 3 0 | 3"])
    #expect(
      Self.tick(&totals, [Self.reading(4, "d", 4, 0)])
        == ["(evicted) | - | 1 0 | 0", "b | 1 exited | 2 0 | 0", "c | 3 | 3 0 | 0", "d | 4 | 4 0 | 4"])
    #expect(totals.report(at: Self.time).health.evicted == 1)
  }

  /// Without a bound no row ever falls but that of a process that went to its command line; with bounds the sum stays.
  @Test(arguments: 0..<100, [(10_000, 4_096), (5, 3)])
  func `conservation on random scenarios`(seed: UInt64, limits: (rows: Int, exited: Int)) {
    var random = SplitMix64(seed: seed)
    var totals = ProcessTotals(limit: limits.rows, exitedLimit: limits.exited)
    var (living, dead, marked): (Set<Int32>, Set<Int32>, [Int32: Int]) = ([], [], [:])
    var (sum, before): (Usage, [String: Usage]) = (.zero, [:])
    for _ in 0..<60 {
      var readings: [Reading] = []
      for pid in Set((0..<4).map { _ in Int32.random(in: 1...40, using: &random) }).sorted() {
        if !dead.contains(pid) { living.insert(pid) }
        let bytes = UInt64.random(in: 0...1_000, using: &random)
        readings.append(Self.reading(pid, "line \(pid % 6)", bytes, bytes / 2))
        sum += Usage(bytes, bytes / 2)
      }
      readings.append(Reading(owner: .kernel, usage: Usage(1, 2)))
      sum += Usage(1, 2)
      let ending = living.filter { _ in Int.random(in: 0..<8, using: &random) == 0 }
      living.subtract(ending)
      dead.formUnion(ending)
      totals.add(
        Measurement(interval: .seconds(1), readings: readings, exited: ending.map(Scenario.process)))
      let rows = totals.report(at: Self.time).rows
      #expect(rows.map(\.total).reduce(.zero, +) == sum)
      for case .process(let pid, _, exited: true) in rows.map(\.subject) { marked[pid, default: 0] += 1 }
      if limits.exited < 4_096 {
        #expect(rows.count <= limits.rows + limits.exited + 1)
        continue
      }
      var now: [String: Usage] = [:]
      for row in rows { now["\(row.name) \(Self.key(row))"] = row.total }
      for (key, total) in before {
        guard let later = now[key] else {
          #expect(key.contains("pid"))
          continue
        }
        #expect(later.received >= total.received && later.sent >= total.sent)
      }
      before = now
    }
    if limits.exited == 4_096 { #expect(marked.allSatisfy { $0.value == 1 } && Set(marked.keys) == dead) }
  }

  private static func key(_ row: UsageRow) -> String {
    switch row.subject {
    case .process(let pid, _, _): "pid \(pid)"
    case .exited: "exited"
    default: ""
    }
  }
}
