import Model
import Testing

@testable import Aggregation

@Suite struct ProbeRoundsTests {
  private let start = Instant(sinceZero: .seconds(1_000_000))

  private func burst(_ received: Int) -> ProbeResult.Finding {
    .ping(PingBurst(sent: 10, roundTrips: Array(repeating: .milliseconds(2), count: received)))
  }

  @Test func `nothing is known before the first round`() {
    let rounds = ProbeRounds()
    for measure in ProbeAlert.Measure.allCases {
      #expect(rounds.value(of: measure, over: .seconds(9), at: start) == nil)
    }
    #expect(rounds.isUp == nil && rounds.state(named: "gw") == nil)
  }

  @Test func `rounds of the interval count, the end included`() {
    var rounds = ProbeRounds()
    for second in 0...10 {
      rounds.add(burst(second == 0 ? 0 : 10), at: start + .seconds(second), keeping: .seconds(60))
    }
    #expect(rounds.value(of: .loss, over: .seconds(10), at: start + .seconds(10)) == 100.0 / 11)
    #expect(rounds.value(of: .loss, over: .seconds(9), at: start + .seconds(10)) == 0)
    #expect(rounds.value(of: .loss, over: .zero, at: start + .seconds(99)) == 0)
    // There was none in the interval.
    #expect(rounds.value(of: .loss, over: .seconds(5), at: start + .seconds(99)) == nil)
  }

  @Test func `what is older is forgotten, but for the last`() {
    var rounds = ProbeRounds()
    rounds.add(burst(0), at: start, keeping: .seconds(1))
    rounds.add(burst(10), at: start + .seconds(5), keeping: .seconds(1))
    #expect(rounds.value(of: .loss, over: .seconds(60), at: start + .seconds(5)) == 0)
    rounds.add(
      .scan(ServiceScan(http: .missing(""), https: .missing(""), mysql: .missing(""))),
      at: start + .seconds(99), keeping: .zero)
    #expect(rounds.value(of: .loss, over: .zero, at: start + .seconds(99)) == 0)
  }

  @Test func `there is a bound, whatever the interval`() {
    var rounds = ProbeRounds()
    for number in 0..<10_000 {
      rounds.add(
        burst(number < 10_000 - 4096 ? 0 : 10), at: start + .milliseconds(number), keeping: .seconds(86_400))
    }
    #expect(rounds.value(of: .loss, over: .seconds(86_400), at: start + .seconds(10)) == 0)
    rounds.add(burst(0), at: start + .seconds(10), keeping: .seconds(86_400))
    #expect(rounds.value(of: .loss, over: .seconds(86_400), at: start + .seconds(10)) == 100.0 / 4096)
  }
}
