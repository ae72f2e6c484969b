import Aggregation
import Lab
import Model
import Testing

/// Whatever happens, no byte is lost, none counted twice, and no total falls.
@Suite struct AggregatorLawTests {
  @Test(arguments: UInt64(1)...30)
  func `random scenarios keep the laws`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var limits = Aggregator.Limits()
    limits.applications = Int.random(in: 1...12, using: &random)
    limits.processes = Int.random(in: 2...20, using: &random)
    limits.exitedProcesses = Int.random(in: 2...10, using: &random)
    let sets = [
      ApplicationRules(), try rules("A=a", "B=b"), try rules("B=b", "A=a", inherit: true),
      try rules("C=1", autoGroup: true),
    ]
    var aggregator = Aggregator(rules: sets[0], limits: limits)
    var living: [ProcessDescription] = []
    var dead: [ProcessDescription] = []
    var all = Usage.zero
    var hidden = Usage.zero
    var totals: [String: UInt64] = [:]
    var evictions: UInt64 = 0
    for tick in 0..<120 {
      if Int.random(in: 0..<20, using: &random) == 0 {
        aggregator.reload(rules: sets[Int.random(in: 0..<sets.count, using: &random)])
      }
      var timed = Usage.zero
      let measurements = (0..<Int.random(in: 0...3, using: &random)).map { _ in
        let isTimed = Int.random(in: 0..<6, using: &random) > 0
        var readings: [Reading] = []
        for _ in 0..<Int.random(in: 0...8, using: &random) {
          let next = anyReading(&living, dead, tick, &random)
          readings.append(next)
          all += next.usage
          if isTimed { timed += next.usage }
        }
        var exited: [ProcessDescription] = []
        while !living.isEmpty, Int.random(in: 0..<3, using: &random) == 0 {
          exited.append(living.remove(at: Int.random(in: 0..<living.count, using: &random)))
        }
        dead += exited
        let unseen = Usage(received: UInt64.random(in: 0...9, using: &random))
        hidden += unseen
        return measured(readings, interval: isTimed ? .seconds(1) : nil, exited: exited, hidden: unseen)
      }
      let report = aggregator.absorb(measurements, at: noon)
      #expect(report.sumOfTotals == all)
      #expect(report.sumOfMoved == timed)
      #expect(report.sumOfTotals + report.balance.hidden == report.balance.total)
      #expect(report.balance.hidden == hidden)
      #expect(report.rows.filter { $0.subject != .remainder }.count <= limits.applications)
      #expect(Set(report.rows.map { "\($0.subject == .remainder) \($0.name)" }).count == report.rows.count)
      // Only an application that was folded may start from the beginning.
      let fell = report.rows.filter { $0.total.received < totals[$0.name] ?? 0 }
      #expect(fell.isEmpty || report.health.evicted > evictions)
      evictions = report.health.evicted
      totals = Dictionary(report.rows.map { ($0.name, $0.total.received) }, uniquingKeysWith: max)
      // Nobody who ended is said to live.
      let pids = report.rows.flatMap { row in
        if case .application(let pids) = row.subject { pids } else { [Int32]() }
      }
      #expect(Set(pids).isSubset(of: living.map(\.identity.pid)))
      #expect(Set(pids).count == pids.count)
    }
  }

  private func anyReading(
    _ living: inout [ProcessDescription], _ dead: [ProcessDescription], _ tick: Int,
    _ random: inout SplitMix64
  ) -> Reading {
    let usage = Usage(
      received: UInt64.random(in: 0...1000, using: &random), sent: UInt64.random(in: 0...1000, using: &random)
    )
    let others: [Owner] = [
      .forwarded, .kernel, .pipe("pipe-a"), .pipe("pipe-x"), .unattributed(.exited), .unattributed(.denied),
    ]
    switch Int.random(in: 0..<10, using: &random) {
    case 0: return Reading(owner: others.randomElement(using: &random) ?? .kernel, usage: usage)
    case 1 where !dead.isEmpty:
      // Late bytes of one of the last that ended: as long as it is remembered.
      let late = dead[dead.count - 1]
      return Reading(owner: .process(late.identity), process: late, usage: usage)
    case 2...4:
      let name = ["a", "b", "c", "python3 x.py", "1"].randomElement(using: &random) ?? "a"
      let born = process(
        Int32(tick * 100 + living.count + dead.count + 1),
        "\(name) \(Int.random(in: 0...30, using: &random))",
        start: UInt64(tick), ancestors: ["a"])
      living.append(born)
      return Reading(owner: .process(born.identity), process: born, usage: usage)
    case 5 where !living.isEmpty:
      let index = Int.random(in: 0..<living.count, using: &random)
      living[index].commandLine += "b"
      return Reading(owner: .process(living[index].identity), process: living[index], usage: usage)
    default:
      guard let one = living.randomElement(using: &random) else {
        return Reading(owner: .kernel, usage: usage)
      }
      return Reading(
        owner: .process(one.identity), process: Bool.random(using: &random) ? one : nil, usage: usage)
    }
  }
}
