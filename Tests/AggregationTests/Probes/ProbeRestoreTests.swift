import Aggregation
import Model
import Testing

/// P27 for probes: what fires goes on over a restart.
@Suite struct ProbeRestoreTests {
  private let start = Instant(sinceZero: .seconds(1_000_000))

  private func fired(_ name: String, _ measure: ProbeAlert.Measure, rule: String = "r") -> ProbeAlert {
    ProbeAlert(
      rule: rule, target: target(name), measure: measure, state: .repeated(count: 2), value: 50,
      threshold: 10, interval: .zero, since: noon, time: noon.later(60))
  }

  /// What comes of rounds, one each second, after a start a minute after the last report.
  private func words(
    _ rules: String, _ alerts: [ProbeAlert], probed: Set<String> = ["gw"], _ rounds: [ProbeResult]
  ) throws -> [String] {
    var limits = ProbeLimits(rules: try probeRules(rules))
    limits.restore(alerts, at: start, noon.later(120))
    limits.keep(only: probed)
    var reported = limits.takeRemoved(at: noon.later(120))
    for (second, result) in rounds.enumerated() {
      reported += limits.update(
        with: result, at: start + .seconds(second), noon.later(120 + Double(second)))
    }
    #expect(reported.allSatisfy { $0.since == noon || $0.state == .firing })
    return reported.map { alert in
      switch alert.state {
      case .firing: "firing \(alert.measure)"
      case .repeated(let count): "\(count) \(alert.measure)"
      case .resolved(let why): "\(why) \(alert.measure) at \(alert.time.seconds - noon.seconds)"
      }
    }
  }

  @Test(
    arguments: [
      ("down=yes", .down, [lost("gw"), lost("gw")], []),
      ("down=yes", .down, [lost("gw"), ping("gw"), lost("gw")], ["below down at 121", "firing down"]),
      ("down=yes\nkeep_firing_for=2", .down, [ping("gw"), ping("gw"), ping("gw")], ["below down at 122"]),
      ("down=yes\nrepeat=61", .down, [lost("gw"), lost("gw"), lost("gw")], ["3 down"]),
      ("loss_threshold=10", .loss, [ping("gw", received: 5), ping("gw")], ["below loss at 121"]),
      // Over an interval that is not full nobody knows.
      (
        "loss_threshold=10\ninterval=3", .loss, [ping("gw"), ping("gw"), ping("gw"), ping("gw")],
        ["below loss at 123"]
      ),
      (
        "rtt_threshold=10", .roundTrip, [lost("gw"), ping("gw", milliseconds: 5)], ["below roundTrip at 121"]
      ),
      ("loss_threshold=10", .down, [ping("gw")], ["removed down at 120"]),
      ("down=yes\nprobe_filter=other", .down, [ping("gw")], ["removed down at 120"]),
    ] as [(String, ProbeAlert.Measure, [ProbeResult], [String])])
  func `it is reported once, with the start that it had`(
    rule: String, measure: ProbeAlert.Measure, rounds: [ProbeResult], reported: [String]
  ) throws {
    #expect(try words("[r]\n\(rule)", [fired("gw", measure)], rounds) == reported)
  }

  @Test func `a rule or a target that is no longer there ends it`() throws {
    #expect(try words("[x]\ndown=yes", [fired("gw", .down)], [ping("gw")]) == ["removed down at 120"])
    #expect(
      try words("[r]\ndown=yes", [fired("old", .down)], [ping("gw")]) == ["gone down at 120"])
  }

  @Test func `an outage of a target goes on, and ends with its whole length`() {
    var outages = TargetOutages()
    outages.restore("gw", since: start - .seconds(60))
    #expect(outages.take(lost("gw"), at: start) == nil)
    let end = outages.take(ping("gw"), at: start + .seconds(5))
    #expect(end?.state == .ended(downtime: .seconds(65), isIgnored: false))
  }

  @Test(arguments: [0, -3600, 3600] as [Double])
  func `an outage of this host goes on, whatever became of the clock`(shift: Double) {
    var gate = ConnectivityGate(
      references: ["gw"], intervals: ["gw": .seconds(1), "a": .seconds(1)], at: start)
    gate.restore(outageSince: start - .seconds(60), noon.later(shift))
    for (second, name) in [(1.0, "gw"), (1, "a"), (2, "gw"), (2, "a")] {
      let verdict = gate.take(
        lost(name, shift + second), at: start + .milliseconds(Int64(second * 1000)),
        noon.later(shift + second))
      #expect(verdict.outage == nil && verdict.admitted.isEmpty)
    }
    let verdict = gate.take(ping("a", shift + 3), at: start + .seconds(3), noon.later(shift + 3))
    #expect(verdict.outage?.state == .ended(downtime: .seconds(63), isIgnored: false))
    #expect(verdict.admitted.count == 1)
  }

  @Test func `without references there is nothing to continue`() {
    var gate = ConnectivityGate(intervals: ["a": .seconds(1), "b": .seconds(1)], at: start)
    gate.restore(outageSince: start, noon)
    let verdict = gate.take(ping("a", 1), at: start + .seconds(1), noon.later(1))
    #expect(verdict.outage == nil && verdict.admitted.count == 1)
  }
}
