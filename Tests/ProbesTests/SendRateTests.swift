import Model
import SystemRuntime
import Testing

@testable import Probes

@Suite struct SendRateTests {
  private let start = Instant.now

  @Test func `a rate is high after a quarter of a second of it, until one without`() {
    var rate = SendRate(at: start)
    rate.add(750, at: start + .milliseconds(240))
    #expect(!rate.isHigh)
    rate.add(10, at: start + .milliseconds(250))
    #expect(rate.isHigh)
    rate.add(250, at: start + .milliseconds(490))
    #expect(rate.isHigh)
    rate.add(240, at: start + .milliseconds(500))
    #expect(!rate.isHigh)
  }

  @Test func `a burst each minute is no high rate`() {
    var rate = SendRate(at: start)
    rate.add(10_000, at: start + .milliseconds(500))
    rate.add(1, at: start + .seconds(60))
    #expect(!rate.isHigh)
  }
}
