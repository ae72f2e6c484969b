import Model
import SystemRuntime
import Testing

@testable import Probes

@Suite struct SendRateTests {
  private let start = Instant.now

  @Test func `a rate is high after a second of it, until a second without`() {
    var rate = SendRate(at: start)
    rate.add(3000, at: start + .milliseconds(900))
    #expect(!rate.isHigh)
    rate.add(10, at: start + .seconds(1))
    #expect(rate.isHigh)
    rate.add(1000, at: start + .milliseconds(1900))
    #expect(rate.isHigh)
    rate.add(900, at: start + .seconds(2))
    #expect(!rate.isHigh)
  }

  @Test func `a burst each minute is no high rate`() {
    var rate = SendRate(at: start)
    rate.add(10_000, at: start + .milliseconds(500))
    rate.add(1, at: start + .seconds(60))
    #expect(!rate.isHigh)
  }
}
