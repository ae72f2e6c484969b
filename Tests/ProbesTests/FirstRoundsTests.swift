import Testing

@testable import Probes

@Suite struct FirstRoundsTests {
  @Test(arguments: [
    // A few begin at once.
    (16, 15, Duration.seconds(1), Duration.zero),
    // As much at each moment, where all of the interval is needed.
    (5000, 2500, .seconds(1), .milliseconds(500)), (5000, 4999, .seconds(1), .microseconds(999_800)),
    // No more than a thousand in a second.
    (5000, 2500, .seconds(60), .milliseconds(2500)),
    // A second for fewer.
    (100, 50, .seconds(60), .milliseconds(500)), (100, 50, .milliseconds(200), .milliseconds(100)),
  ])
  func `targets begin one after the other`(
    count: Int, index: Int, interval: Duration, expected: Duration
  ) {
    let first = FirstRounds(count: count)
    #expect(first.delay(of: index, interval: interval, perSecond: 1000) == expected)
  }

  @Test func `what comes once begins within half a second`() {
    #expect(
      FirstRounds(count: 5000).delay(of: 4999, interval: nil, perSecond: 1000) == .microseconds(499_900))
  }
}
