import Aggregation
import Model
import Testing

/// A gate, and what it makes of rounds that begin and end at seconds since noon.
struct Door {
  var gate: ConnectivityGate
  let start = Instant(sinceZero: .seconds(1_000_000))

  /// Targets that are asked each ten seconds.
  init(references: Set<String> = ["gw"], _ targets: String...) {
    let names = references.union(targets.isEmpty ? ["a", "b"] : targets)
    self.init(references, Dictionary(uniqueKeysWithValues: names.map { ($0, 10) }))
  }

  /// Targets that are asked each so many seconds.
  init(_ references: Set<String> = ["gw"], _ intervals: [String: Double]) {
    gate = ConnectivityGate(
      references: references, intervals: intervals.mapValues { .seconds($0) }, at: start)
  }

  mutating func use(references: Set<String>, _ targets: Set<String>, at second: Double) {
    let intervals = Dictionary(uniqueKeysWithValues: targets.map { ($0, Duration.seconds(10)) })
    gate.use(references: references, intervals: intervals, at: at(second))
  }

  /// The words of what a result that comes at `second` leads to: `a lost`, `outage`, `over`.
  mutating func take(_ result: ProbeResult, at second: Double) -> [String] {
    words(gate.take(result, at: at(second), noon.later(second)))
  }

  private func words(_ verdict: ConnectivityGate.Verdict) -> [String] {
    Self.words(verdict.outage) + verdict.admitted.map { Self.words($0.result) }
  }

  /// Some rounds of one second after the other, as ticks see them: they begin at `second` and come a second later.
  mutating func round(_ results: [ProbeResult], at second: Double) -> [String] {
    results.flatMap { result in
      var result = result
      result.time = noon.later(second)
      return take(result, at: second + 1)
    }
  }

  mutating func expire(at second: Double) -> [String] { words(gate.expire(at: at(second))) }

  private func at(_ second: Double) -> Instant {
    start + .milliseconds(Int64(second * 1000))
  }

  private static func words(_ result: ProbeResult) -> String {
    switch result.finding {
    case .ping(let burst): "\(result.target.name) \(burst.roundTrips.count)"
    default: "\(result.target.name) other"
    }
  }

  private static func words(_ outage: Outage?) -> [String] {
    guard let outage else { return [] }
    #expect(outage.subject == "local connectivity")
    switch outage.state {
    case .began(let uptime): return ["down after \(uptime.components.seconds)"]
    case .ended(let downtime, _): return ["up after \(downtime.components.seconds)"]
    }
  }
}

/// P15, and what must not be taken for it.
@Suite struct ConnectivityGateTests {
  private let all = [ping("gw"), ping("a"), ping("b")]
  private let none = [lost("gw"), lost("a"), lost("b")]

  @Test func `P15: all fail with the reference: one outage, nothing of targets, and they resume`() {
    var door = Door()
    #expect(door.round(all, at: 0) == ["gw 10", "a 10", "b 10"])
    #expect(door.round(none, at: 600) == ["down after 601"])
    for second in 601..<900 {
      #expect(door.round(none, at: Double(second)).isEmpty)
      #expect(door.expire(at: Double(second)).isEmpty)
    }
    // Not all of the way is back at once.
    #expect(door.round([lost("gw"), ping("a", received: 3), lost("b")], at: 900) == ["up after 300"])
    #expect(door.round([lost("gw"), ping("a"), ping("b", received: 9)], at: 901) == ["a 10"])
    #expect(door.round(all, at: 902) == ["gw 10", "a 10", "b 10"])
    #expect(door.expire(at: 2000).isEmpty)
    #expect(door.round(none, at: 1000) == ["down after 100"])
  }

  @Test(arguments: [["gw", "a", "b"], ["b", "a", "gw"], ["a", "gw", "b"]])
  func `the order of results does not matter`(order: [String]) {
    var door = Door()
    #expect(door.round(order.map { ping($0) }, at: 0).count == 3)
    #expect(door.round(order.map { lost($0) }, at: 10).count == 1)
    #expect(door.round(order.map { lost($0) }, at: 11).isEmpty)
    #expect(door.round(order.map { ping($0) }, at: 20) == ["up after 10"] + order.map { "\($0) 10" })
  }

  @Test func `P15: bursts that the beginning cuts are no loss of targets`() {
    var door = Door()
    _ = door.round(all, at: 0)
    #expect(
      door.round([ping("a", received: 4), ping("gw", received: 4), ping("b", received: 5)], at: 1).isEmpty)
    #expect(door.round(none, at: 2) == ["down after 3"])
    #expect(
      door.round([ping("a"), ping("b"), ping("gw")], at: 9) == ["up after 7", "a 10", "b 10", "gw 10"])
    #expect(door.expire(at: 99).isEmpty)
  }

  @Test func `an outage lasts from the failure, however late it is known as one`() {
    var door = Door()
    _ = door.round(all, at: 0)
    #expect(door.round([lost("gw")], at: 10).isEmpty)
    #expect(door.round([lost("a")], at: 13).isEmpty)
    #expect(door.round([lost("b")], at: 16) == ["down after 11"])
    #expect(door.round([ping("a")], at: 20) == ["up after 10", "a 10"])
  }

  @Test func `none overtakes another of its target, nor where nothing is guarded any more`() {
    var door = Door()
    let start = door.start
    _ = door.round(all, at: 0)
    #expect(door.gate.take(lost("a", 10), at: start + .seconds(11), noon.later(11)).admitted.isEmpty)
    door.use(references: [], ["a", "b"], at: 12)
    let verdict = door.gate.take(ping("a", 12), at: start + .seconds(13), noon.later(13))
    #expect(verdict.admitted.map(\.arrival) == [start + .seconds(11), start + .seconds(13)])
  }

  @Test func `what was held back has the moment at which it came`() {
    var door = Door()
    let start = door.start
    _ = door.round(all, at: 0)
    #expect(door.gate.take(lost("a", 10), at: start + .seconds(11), noon.later(11)).admitted.isEmpty)
    let verdict = door.gate.take(ping("gw", 12), at: start + .seconds(13), noon.later(13))
    #expect(verdict.admitted.map(\.result.target.name) == ["a", "gw"])
    #expect(verdict.admitted.map(\.arrival) == [start + .seconds(11), start + .seconds(13)])
  }

  @Test func `a target at fault alone is said once the reference was asked again`() {
    var door = Door()
    _ = door.round(all, at: 0)
    #expect(door.take(lost("a", 1), at: 2) == [])
    // This round had begun before: it says nothing of what was lost since.
    #expect(door.take(ping("gw", 1.5), at: 2.5) == ["gw 10"])
    #expect(door.take(lost("a", 2), at: 3) == [])
    #expect(door.take(ping("gw", 2.5), at: 3.5) == ["a 0", "gw 10"])
    #expect(door.take(ping("gw", 3.5), at: 4) == ["a 0", "gw 10"])
    #expect(door.take(ping("a", 5), at: 6) == ["a 10"])
  }

  @Test func `what a target loses counts also when it answers before the reference is asked`() {
    var door = Door()
    #expect(door.take(ping("a", 1, received: 7), at: 2).isEmpty)
    #expect(door.take(lost("a", 2), at: 3).isEmpty)
    #expect(door.take(ping("a", 3), at: 4) == ["a 7", "a 0", "a 10"])
    #expect(door.expire(at: 99).isEmpty)
  }

  @Test func `a reference at fault alone is said when a target has answered a later round`() {
    var door = Door()
    _ = door.round(all, at: 0)
    #expect(door.take(lost("gw", 10), at: 12) == [])
    // From before: it does not tell.
    #expect(door.take(ping("a", 9), at: 12.5) == ["a 10"])
    #expect(door.take(ping("b", 12), at: 13) == ["gw 0", "b 10"])
    // From now on references speak for themselves, and targets as soon as another has answered.
    #expect(door.take(lost("gw", 13), at: 15) == ["gw 0"])
    #expect(door.take(lost("a", 14), at: 15) == [])
    #expect(door.take(ping("b", 16), at: 17) == ["a 0", "b 10"])
    // What fails later did not fail together with them.
    #expect(door.take(lost("gw", 40), at: 42) == ["gw 0"])
    #expect(door.take(lost("b", 42), at: 43) == ["b 0"])
    #expect(door.take(ping("a", 44, received: 3), at: 45) == ["a 3"])
    #expect(door.take(ping("gw", 46), at: 47) == ["gw 10"])
    #expect(door.take(lost("a", 47), at: 48) == [])
  }

  @Test func `a target that has answered already says that it is the reference`() {
    var door = Door()
    #expect(door.take(ping("b", 1), at: 1.1) == ["b 10"])
    #expect(door.take(lost("a", 0.5), at: 2.5).isEmpty)
    #expect(door.take(lost("gw", 0.9), at: 2.9) == ["a 0", "gw 0"])
  }

  @Test func `what was down before is no sign of an outage while another may answer`() {
    var door = Door()
    _ = door.round(all, at: 0)
    #expect(door.round([lost("a"), ping("b")], at: 10) == ["b 10"])
    #expect(door.round([ping("gw")], at: 12) == ["a 0", "gw 10"])
    #expect(door.round([lost("gw"), lost("a")], at: 20).isEmpty)
    #expect(door.round([lost("b")], at: 21) == ["down after 21"])
    // Where all are down, one of them will do.
    var other = Door("a")
    _ = other.round([ping("gw"), lost("a")], at: 0)
    #expect(other.round([ping("gw")], at: 2) == ["a 0", "gw 10"])
    #expect(other.round([lost("gw"), lost("a")], at: 3) == ["down after 4"])
  }

  @Test func `results of rounds that began in the outage, or before it, come late and change nothing`() {
    var door = Door()
    _ = door.round(all, at: 0)
    _ = door.round(none, at: 10)
    // Begun before the outage: it is not over.
    #expect(door.take(ping("a", 9), at: 12) == ["a 10"])
    #expect(door.take(ping("a", 9.5, received: 2), at: 12) == [])
    #expect(door.take(ping("b", 50), at: 51) == ["up after 40", "b 10"])
    #expect(door.take(lost("a", 49), at: 64) == [])
    #expect(door.take(ping("a", 49.5, received: 3), at: 65) == [])
    #expect(door.take(ping("gw", 66), at: 67) == ["gw 10"])
    // Begun after it.
    #expect(door.take(lost("a", 60), at: 70) == [])
    #expect(door.take(ping("gw", 71), at: 72) == ["a 0", "gw 10"])
  }

  @Test func `several references: it is an outage when all fail`() {
    var door = Door(references: ["gw", "isp"], "a", "b")
    _ = door.round(all + [ping("isp")], at: 0)
    #expect(door.round([lost("gw"), lost("a"), lost("b")], at: 10).isEmpty)
    #expect(door.round([ping("isp")], at: 12) == ["a 0", "b 0", "gw 0", "isp 10"])
    #expect(door.round([ping("gw"), ping("a"), ping("b"), ping("isp")], at: 20).count == 4)
    #expect(door.round([lost("gw"), lost("a")], at: 30).isEmpty)
    #expect(door.round([lost("isp")], at: 31).isEmpty)
    #expect(door.round([lost("b")], at: 31) == ["down after 32"])
    #expect(door.round([ping("isp")], at: 40) == ["up after 9", "isp 10"])
  }

  @Test func `references alone: several that fail together are an outage, a single one speaks for itself`() {
    var door = Door(references: ["gw", "isp"], "gw")
    _ = door.round([ping("gw"), ping("isp")], at: 0)
    #expect(door.round([lost("gw"), lost("isp")], at: 10) == ["down after 11"])
    var single = Door("gw")
    #expect(single.round([lost("gw"), ping("gw")], at: 0) == ["gw 0", "gw 10"])
    #expect(!single.gate.isGuarding)
  }

  @Test func `what no reference judges passes after a while, in its order`() {
    var door = Door()
    #expect(door.take(lost("b", 0), at: 1).isEmpty)
    #expect(door.take(lost("a", 1), at: 2).isEmpty)
    #expect(door.take(ping("a", 2, received: 5), at: 3).isEmpty)
    #expect(door.expire(at: 30.9).isEmpty)
    #expect(door.expire(at: 31) == ["b 0"])
    #expect(door.expire(at: 33) == ["a 0", "a 5"])
    #expect(door.expire(at: 99).isEmpty)
  }

  @Test func `a failing reference whose targets say nothing is said after a while`() {
    var door = Door()
    #expect(door.take(lost("gw", 0), at: 1).isEmpty)
    #expect(door.expire(at: 31) == ["gw 0"])
  }

  @Test func `without references, and of a trace, all passes`() {
    var door = Door(references: [], "a", "b")
    #expect(door.round(none, at: 0) == ["gw 0", "a 0", "b 0"])
    var other = Door()
    let trace = ProbeResult(
      target: target("a"), time: noon, finding: .trace(RouteTrace(hops: [], ending: .exhausted)))
    #expect(other.take(trace, at: 1) == ["a other"])
  }

  @Test func `other references count from now on`() {
    var door = Door()
    _ = door.round(all, at: 0)
    #expect(door.round([lost("a"), lost("gw"), lost("b")], at: 10) == ["down after 11"])
    // It goes on with another reference, and ends with any answer.
    door.use(references: ["isp"], ["isp", "a", "b"], at: 12)
    #expect(door.round([lost("isp")], at: 12).isEmpty)
    #expect(door.round([ping("b")], at: 20) == ["up after 10", "b 10"])
    #expect(door.round([ping("isp"), ping("a")], at: 30).count == 2)
    #expect(door.round([lost("b")], at: 40).isEmpty)
    door.use(references: [], ["a", "b"], at: 41)
    #expect(door.expire(at: 41) == ["b 0"])
    #expect(door.round([lost("a")], at: 42) == ["a 0"])
    door.use(references: ["a"], ["a", "b"], at: 42)
    #expect(door.round([lost("b")], at: 43).isEmpty)
    // What is not probed any more is never said.
    door.use(references: ["a"], ["a", "c"], at: 44)
    #expect(door.expire(at: 99).isEmpty)
  }

  @Test func `a wall clock that is set back does not hold an outage`() {
    var door = Door()
    _ = door.round(all, at: 3600)
    #expect(door.round(none, at: 3601) == ["down after 3602"])
    #expect(door.take(ping("gw", 3), at: 3604) == ["gw 10"])
    #expect(door.take(ping("gw", 40), at: 3632) == ["up after 30", "gw 10"])
    #expect(door.take(lost("a", 100), at: 3700) == [])
    #expect(door.take(ping("gw", 101), at: 3701) == ["gw 10"])
    #expect(door.expire(at: 3731) == ["a 0"])
  }
}
