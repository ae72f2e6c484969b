import Aggregation
import Model
import Testing

@Suite struct TargetOutagesTests {
  @Test
  func `an outage begins with the first round of which nothing answers, and ends with the next that does`() {
    let start = Instant(sinceZero: .seconds(1_000_000))
    var outages = TargetOutages()
    func take(_ result: ProbeResult, _ second: Int) -> Outage? {
      outages.take(result, at: start + .seconds(second))
    }
    #expect(take(ping("gw", 1), 1) == nil)
    #expect(
      take(lost("gw", 600), 600)
        == Outage(subject: "gw", state: .began(afterUptime: .seconds(599)), time: noon.later(600)))
    #expect(take(lost("gw", 601), 601) == nil)
    #expect(take(ping("web", 602), 602) == nil)
    #expect(
      take(ping("gw", 607, received: 1), 608)
        == Outage(
          subject: "gw", state: .ended(downtime: .seconds(8), isIgnored: false), time: noon.later(607)))
    #expect(
      take(lost("gw", 610), 610)?.state == .began(afterUptime: .seconds(2)))
  }

  @Test func `a target that never answered is down since the first round`() {
    let start = Instant(sinceZero: .seconds(1_000_000))
    var outages = TargetOutages()
    #expect(outages.take(lost("gw"), at: start + .seconds(3))?.state == .began(afterUptime: .zero))
    #expect(outages.take(lost("gw"), at: start + .seconds(4)) == nil)
  }

  @Test func `a trace says nothing, and what is not probed any more is forgotten`() {
    let start = Instant(sinceZero: .seconds(1_000_000))
    var outages = TargetOutages()
    let trace = ProbeResult(
      target: target("gw"), time: noon, finding: .trace(RouteTrace(hops: [], ending: .exhausted)))
    #expect(outages.take(trace, at: start) == nil)
    #expect(outages.take(lost("gw"), at: start) != nil)
    outages.keep(only: ["web"])
    #expect(outages.take(ping("gw"), at: start) == nil)
  }
}
