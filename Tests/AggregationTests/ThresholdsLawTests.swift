import Lab
import Model
import Testing

@testable import Aggregation

/// Whatever happens, an alert is raised, perhaps repeated, and resolved, in this order.
@Suite struct ThresholdsLawTests {
  private static let files = [
    "[a]\nin_threshold=100\nin_clear=50\nrepeat=3",
    "[a]\nin_threshold=150\nout_threshold=20\ninterval=4\n[b]\nprocess_filter=2\nin_threshold=10\nkeep_firing_for=4",
    "[b]\nin_threshold=80\nfor=3\n[c]\nprocess_filter=(kernel)\nout_threshold=1",
  ]

  @Test(arguments: UInt64(1)...30)
  func `random traffic and reloads never raise or resolve twice`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var watching = try Watching(Self.files[0])
    var firing: [String: Int] = [:]
    var seen = 0
    for _ in 0..<400 {
      if Int.random(in: 0..<25, using: &random) == 0 {
        let text = Self.files[Int.random(in: 0..<Self.files.count, using: &random)]
        watching.thresholds.reload(rules: try thresholdRules(text))
      }
      var rows = [remainder("(kernel)", moved(&random))]
      for index in 1...4 where Int.random(in: 0..<12, using: &random) > 0 {
        rows.append(
          row("app \(index)", moved(&random), Int.random(in: 0..<5, using: &random) == 0 ? [] : [7]))
      }
      watching.tick(
        rows: rows, seconds: Double(Int.random(in: 1...30, using: &random)) / 10,
        isTimed: Int.random(in: 0..<20, using: &random) > 0)
      for alert in watching.alerts.dropFirst(seen) {
        let key = "\(alert.rule) \(alert.subject) \(alert.direction)"
        switch alert.state {
        case .firing:
          #expect(firing[key] == nil && alert.value > alert.threshold && alert.since == alert.time)
          firing[key] = 1
        case .repeated(let count):
          #expect(firing[key] == count - 1)
          firing[key] = count
        case .resolved(let why):
          #expect(firing[key] != nil)
          if why == .below { #expect(alert.value <= alert.threshold) }
          firing[key] = nil
        }
      }
      seen = watching.alerts.count
    }
    #expect(seen > 10)
    watching.thresholds.reload(rules: [])
    watching.tick(rows: [])
    #expect(watching.alerts.count - seen == firing.count)
    #expect(watching.thresholds.trackedCount <= 5)
  }

  private func moved(_ random: inout SplitMix64) -> Usage {
    guard Bool.random(using: &random) else { return .zero }
    return Usage(
      received: UInt64.random(in: 0...400_000, using: &random),
      sent: UInt64.random(in: 0...60_000, using: &random))
  }
}
