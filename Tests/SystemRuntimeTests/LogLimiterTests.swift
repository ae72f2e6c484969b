import Model
import Testing

@testable import SystemRuntime

@Suite struct LogLimiterTests {
  @Test func `one line of a kind a second, the others counted`() {
    let start = Instant.now
    var limiter = LogLimiter()
    #expect(limiter.admit("a", at: start) == 0)
    #expect(limiter.admit("b", at: start) == 0)
    for step in 1..<10 { #expect(limiter.admit("a", at: start + .milliseconds(100 * step)) == nil) }
    #expect(limiter.admit("a", at: start + .seconds(1)) == 9)
    #expect(limiter.admit("a", at: start + .milliseconds(1500)) == nil)
    #expect(limiter.admit("a", at: start + .seconds(9)) == 1)
    #expect(limiter.admit("b", at: start + .seconds(9)) == 0)
  }
}
