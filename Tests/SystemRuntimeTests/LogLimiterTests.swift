import Model
import Testing

@testable import SystemRuntime

@Suite struct LogLimiterTests {
  private let start = Instant.now

  @Test func `of each kind one line, the others counted`() {
    var limiter = LogLimiter()
    #expect(limiter.admit("a", at: start) == 0)
    #expect(limiter.admit("b", at: start) == 0)
    for step in 1..<10 { #expect(limiter.admit("a", at: start + .milliseconds(100 * step)) == nil) }
    #expect(limiter.admit("a", at: start + .seconds(1)) == 9)
    #expect(limiter.admit("a", at: start + .milliseconds(1500)) == nil)
    #expect(limiter.admit("a", at: start + .seconds(9)) == 1)
    #expect(limiter.admit("b", at: start + .seconds(9)) == 0)
  }

  @Test func `what lasts for an hour is said ever more seldom, and whole`() {
    var limiter = LogLimiter()
    var shown: [Int] = []
    var counted = 0
    for tenth in 0..<36_000 {
      guard let held = limiter.admit("a", at: start + .milliseconds(100 * tenth)) else { continue }
      shown.append(tenth / 10)
      counted += held + 1
    }
    #expect(shown.prefix(8) == [0, 1, 3, 7, 15, 31, 63, 123])
    #expect(shown.count == 7 + (3_600 - 63 - 1) / 60)
    #expect(counted == (shown.last ?? 0) * 10 + 1)
  }

  @Test func `after a minute without any it begins again`() {
    var limiter = LogLimiter()
    for second in 0..<300 { _ = limiter.admit("a", at: start + .seconds(second)) }
    let later = start + .seconds(299 + 60)
    #expect(limiter.admit("a", at: later) != nil)
    #expect(limiter.admit("a", at: later + .milliseconds(500)) == nil)
    #expect(limiter.admit("a", at: later + .seconds(1)) == 1)
  }
}
