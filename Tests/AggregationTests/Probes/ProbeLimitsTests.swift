import Aggregation
import Model
import Testing

/// What rules of a text make of results, a round a second unless said otherwise.
private struct RuleRun {
  var limits: ProbeLimits
  let start = Instant(sinceZero: .seconds(1_000_000))

  init(_ rules: String) throws { limits = ProbeLimits(rules: try probeRules(rules)) }

  /// What a result that comes at `second` leads to: `firing loss 20.0`.
  mutating func take(_ result: ProbeResult, at second: Double) -> [String] {
    limits.update(
      with: result, at: start + .milliseconds(Int64(second * 1000)), noon.later(second)
    ).map(Self.words)
  }

  /// The words of a round each second, each with its second before it.
  mutating func rounds(_ results: [ProbeResult], from second: Double = 0, each step: Double = 1) -> [String] {
    results.enumerated().flatMap { index, result in
      let second = second + Double(index) * step
      return take(result, at: second).map { "\(second) \($0)" }
    }
  }

  mutating func removed(at second: Double) -> [String] {
    limits.takeRemoved(at: noon.later(second)).map(Self.words)
  }

  static func words(_ alert: ProbeAlert) -> String {
    let state =
      switch alert.state {
      case .firing: "firing"
      case .repeated(let count): "repeat \(count)"
      case .resolved(let reason): "\(reason)"
      }
    return "\(alert.rule) \(alert.target.name) \(state) \(alert.measure.rawValue) \(alert.value)"
  }
}

@Suite struct ProbeLimitsTests {
  private func losses(_ received: Int...) -> [ProbeResult] { received.map { ping("gw", received: $0) } }

  @Test func `an alert is raised once and resolved once, each time`() throws {
    var run = try RuleRun("[r]\nloss_threshold=10")
    #expect(
      run.rounds(losses(10, 9, 8, 7, 10, 10, 0, 9)) == [
        "2.0 r gw firing loss 20.0", "4.0 r gw below loss 0.0", "6.0 r gw firing loss 100.0",
        "7.0 r gw below loss 10.0",
      ])
  }

  @Test func `an alert has its target, limit and times`() throws {
    var limits = ProbeLimits(rules: try probeRules("[r]\nloss_threshold=10"))
    let start = Instant(sinceZero: .seconds(1_000_000))
    let first = limits.update(with: ping("gw", 1, received: 8), at: start, noon.later(3))
    #expect(
      first == [
        ProbeAlert(
          rule: "r", target: target("gw"), measure: .loss, state: .firing, value: 20, threshold: 10,
          interval: .zero, since: noon.later(3), time: noon.later(3))
      ])
    let last = limits.update(with: ping("gw", 5), at: start + .seconds(5), noon.later(8))
    #expect(last.first?.since == noon.later(3) && last.first?.time == noon.later(8))
    #expect(last.first?.threshold == 10)
  }

  @Test func `it must hold, and be over, for a time`() throws {
    var run = try RuleRun("[r]\nloss_threshold=10\nfor=3\nkeep_firing_for=2")
    #expect(
      run.rounds(losses(0, 0, 0, 10, 0, 0, 0, 0, 10, 10, 0, 10, 10, 10, 10)) == [
        "7.0 r gw firing loss 100.0", "13.0 r gw below loss 0.0",
      ])
  }

  @Test func `it is reported again after a time, counted, and not once it is clear`() throws {
    var run = try RuleRun("[r]\nloss_threshold=10\nrepeat=2\nkeep_firing_for=10")
    #expect(
      run.rounds(losses(0, 0, 0, 0, 0, 10, 10, 10, 0)) == [
        "0.0 r gw firing loss 100.0", "2.0 r gw repeat 2 loss 100.0", "4.0 r gw repeat 3 loss 100.0",
        "8.0 r gw repeat 4 loss 100.0",
      ])
  }

  @Test func `P26: between the clear level and the limit nothing changes`() throws {
    var run = try RuleRun("[r]\nrtt_threshold=100\nrtt_clear=80")
    let sine = [90.0, 101, 110, 90, 100, 81, 95, 110, 80, 90, 100]
    #expect(
      run.rounds(sine.map { ping("gw", milliseconds: $0) }) == [
        "1.0 r gw firing rtt 101.0", "8.0 r gw below rtt 80.0",
      ])
  }

  @Test func `a value over an interval is that of all its requests, once the interval is full`() throws {
    var run = try RuleRun("[r]\nloss_threshold=20\ninterval=4")
    // Of 50 requests in 5 rounds 20 are lost.
    #expect(
      run.rounds(losses(0, 0, 10, 10, 10, 10, 10)) == [
        "4.0 r gw firing loss 40.0", "5.0 r gw below loss 20.0",
      ])
    var other = try RuleRun("[r]\nrtt_threshold=20\ninterval=2")
    let bursts = [
      ping("gw", received: 1, milliseconds: 100), ping("gw", received: 10, milliseconds: 10),
      ping("gw", received: 9, milliseconds: 10), ping("gw", received: 1, milliseconds: 300),
    ]
    // The mean is that of replies, not of bursts.
    #expect(other.rounds(bursts) == ["3.0 r gw firing rtt 24.5"])
  }

  @Test func `while everything is lost no round-trip time is known: nothing is raised or over`() throws {
    var run = try RuleRun("[r]\nrtt_threshold=50")
    #expect(
      run.rounds([
        ping("gw", milliseconds: 10), lost("gw"), ping("gw", milliseconds: 60), lost("gw"),
        ping("gw", milliseconds: 70), ping("gw", milliseconds: 50),
      ]) == ["2.0 r gw firing rtt 60.0", "5.0 r gw below rtt 50.0"])
  }

  @Test func `a target is down while nothing of it answers`() throws {
    var run = try RuleRun("[r]\ndown=yes")
    func connect(_ answer: ProbeResult.Connection) -> ProbeResult {
      ProbeResult(target: target("web"), time: noon, finding: .connection(port: 80, answer))
    }
    func scan(_ http: ServiceScan.Answer<ServiceScan.Web>) -> ProbeResult {
      ProbeResult(
        target: target("scanned"), time: noon,
        finding: .scan(ServiceScan(http: http, https: .missing("no"), mysql: .missing("no"))))
    }
    #expect(
      run.rounds([
        connect(.accepted(.milliseconds(1))), connect(.failed("refused")),
        connect(.accepted(.milliseconds(1))),
        ping("gw", received: 1), lost("gw"), lost("gw"), ping("gw", received: 1),
        scan(.missing("no")), scan(.answered(.init(roundTrip: .milliseconds(1), status: 500, server: nil))),
      ]) == [
        "1.0 r web firing down 1.0", "2.0 r web below down 0.0", "4.0 r gw firing down 1.0",
        "6.0 r gw below down 0.0", "7.0 r scanned firing down 1.0", "8.0 r scanned below down 0.0",
      ])
  }

  @Test func `what this host could not ask changes nothing`() throws {
    var run = try RuleRun("[r]\ndown=yes\nrtt_threshold=5")
    let web = target("web")
    func connect(_ answer: ProbeResult.Connection) -> ProbeResult {
      ProbeResult(target: web, time: noon, finding: .connection(port: 80, answer))
    }
    func scan(_ http: ServiceScan.Answer<ServiceScan.Web>) -> ProbeResult {
      ProbeResult(
        target: target("scanned"), time: noon,
        finding: .scan(ServiceScan(http: http, https: .missing("no"), mysql: .unknown("not asked"))))
    }
    let answered = ServiceScan.Web(roundTrip: .milliseconds(1), status: 200, server: nil)
    #expect(
      run.rounds([
        connect(.unknown("x")), connect(.accepted(.milliseconds(1))), connect(.unknown("x")),
        scan(.answered(answered)), scan(.missing("no")), scan(.unknown("x")),
      ]).isEmpty)
    #expect(
      run.limits.states == [
        ProbeState(name: "scanned", isUp: true, loss: nil, roundTrip: nil),
        ProbeState(name: "web", isUp: true, loss: nil, roundTrip: 1),
      ])
    #expect(
      run.rounds([connect(.failed("refused")), connect(.unknown("x")), connect(.accepted(.zero))], from: 6)
        == ["6.0 r web firing down 1.0", "8.0 r web below down 0.0"])
  }

  @Test func `a changed route is reported to the rules that ask for it and match`() throws {
    var limits = ProbeLimits(
      rules: try probeRules(
        "[all]\nroute_change=yes\n[some]\nprobe_filter=^way\nroute_change=yes\ndown=yes\n"
          + "[by address]\nprobe_filter=^10\\.0\\.0\\.7$\nroute_change=yes\n[none]\ndown=yes\n"))
    #expect(limits.rules(tellingRoutesOf: target("way out")) == ["all", "some"])
    #expect(limits.rules(tellingRoutesOf: target("gw", 7)) == ["all", "by address"])
    limits.reload(rules: try probeRules("[none]\ndown=yes\n"))
    #expect(limits.rules(tellingRoutesOf: target("way out")).isEmpty)
  }

  @Test func `a trace says nothing of limits`() throws {
    var run = try RuleRun("[r]\ndown=yes\nloss_threshold=0\nrtt_threshold=0")
    let trace = ProbeResult(
      target: target("gw"), time: noon,
      finding: .trace(RouteTrace(hops: [], ending: .stopped(PathError(.networkUnreachable)))))
    #expect(run.rounds([trace, trace]).isEmpty)
    #expect(run.limits.states.isEmpty)
  }

  @Test func `a connection has a time while it is accepted`() throws {
    var run = try RuleRun("[r]\nrtt_threshold=5")
    func connect(_ answer: ProbeResult.Connection) -> ProbeResult {
      ProbeResult(target: target("web"), time: noon, finding: .connection(port: 80, answer))
    }
    #expect(
      run.rounds([connect(.accepted(.milliseconds(6))), connect(.failed("refused"))])
        == ["0.0 r web firing rtt 6.0"])
    #expect(run.limits.states == [ProbeState(name: "web", isUp: false, loss: nil, roundTrip: nil)])
    #expect(
      run.rounds([connect(.accepted(.milliseconds(5)))], from: 2) == ["2.0 r web below rtt 5.0"])
    #expect(run.limits.states == [ProbeState(name: "web", isUp: true, loss: nil, roundTrip: 5)])
  }

  @Test(arguments: [
    ("^gw$", ["gw"]), ("^10\\.0\\.0\\.1$", ["gw", "web"]), ("", ["gw", "web"]), ("nobody", []),
    ("w", ["gw", "web"]),
  ])
  func `a filter is searched in name and address`(filter: String, expected: [String]) throws {
    var run = try RuleRun("[r]\nloss_threshold=0\nprobe_filter=\(filter)")
    let said = run.rounds([lost("gw"), lost("web")])
    #expect(said.map { $0.split(separator: " ")[2] } == expected.map { Substring($0) })
  }

  @Test func `each rule and measure has an alert of its own`() throws {
    var run = try RuleRun("[a]\nloss_threshold=10\nrtt_threshold=5\n[b]\nloss_threshold=50\ndown=yes")
    #expect(
      run.rounds([ping("gw", received: 5, milliseconds: 9), lost("gw"), ping("gw")]) == [
        "0.0 a gw firing loss 50.0", "0.0 a gw firing rtt 9.0", "1.0 b gw firing loss 100.0",
        "1.0 b gw firing down 1.0", "2.0 a gw below loss 0.0", "2.0 a gw below rtt 1.0",
        "2.0 b gw below loss 0.0", "2.0 b gw below down 0.0",
      ])
  }

  @Test func `a reload keeps what fires, and ends what has no rule any more`() throws {
    var run = try RuleRun("[a]\nloss_threshold=10\ndown=yes\n[b]\ndown=yes\nprobe_filter=gw\n[c]\ndown=yes")
    #expect(run.take(lost("gw"), at: 0).count == 4)
    run.limits.reload(rules: try probeRules("[a]\nloss_threshold=20\n[b]\ndown=yes\nprobe_filter=g"))
    #expect(
      run.removed(at: 1) == [
        "a gw removed down 1.0", "b gw removed down 1.0", "c gw removed down 1.0",
      ])
    #expect(run.removed(at: 2).isEmpty)
    // A rule whose filter is another begins again; the other does not fire again.
    #expect(run.take(lost("gw"), at: 3) == ["b gw firing down 1.0"])
    #expect(run.take(ping("gw"), at: 4) == ["a gw below loss 0.0", "b gw below down 0.0"])
  }

  @Test func `a reload ends what is only on its way without a word`() throws {
    var run = try RuleRun("[a]\ndown=yes\nfor=5")
    #expect(run.take(lost("gw"), at: 0).isEmpty)
    run.limits.reload(rules: [])
    run.limits.keep(only: [])
    #expect(run.removed(at: 1).isEmpty)
  }

  @Test func `P27: a target that is not probed any more is gone, once`() throws {
    var run = try RuleRun("[r]\ndown=yes")
    #expect(run.rounds([lost("gw"), lost("web"), ping("mail")]).count == 2)
    run.limits.keep(only: ["web", "mail"])
    #expect(run.removed(at: 5) == ["r gw gone down 1.0"])
    #expect(run.removed(at: 6).isEmpty)
    #expect(run.limits.states.map(\.name) == ["mail", "web"])
    #expect(run.take(lost("web"), at: 7).isEmpty)
  }

  @Test func `states are those of the last round, by name`() throws {
    var run = try RuleRun("[r]\nloss_threshold=50\ninterval=60")
    _ = run.rounds([
      lost("web"), ping("gw"), ping("gw", received: 9, milliseconds: 4), ping("b", sent: 0, received: 0),
    ])
    #expect(
      run.limits.states == [
        ProbeState(name: "b", isUp: false, loss: nil, roundTrip: nil),
        ProbeState(name: "gw", isUp: true, loss: 10, roundTrip: 4),
        ProbeState(name: "web", isUp: false, loss: 100, roundTrip: nil),
      ])
  }

  @Test func `a search that takes too long is given up, and counted`() throws {
    var run = try RuleRun("[r]\ndown=yes\nprobe_filter=^(a+)+$")
    let long = ProbeResult(
      target: target(String(repeating: "a", count: 64) + "!"), time: noon,
      finding: .ping(PingBurst(sent: 1, roundTrips: [])))
    #expect(run.take(long, at: 0).isEmpty)
    #expect(run.limits.abandonedSearches > 0)
  }
}
