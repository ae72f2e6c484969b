import Model
import SystemRuntime
import Testing

/// When what failed is tried again.
@Suite struct RecoveryTests {
  private struct Fault: Error, Equatable {}

  @Test func `at once, then after pauses that double up to a minute`() {
    let start = Instant.now
    var recovery = Recovery<Fault>()
    #expect(recovery.isDue(at: start) && recovery.failure == nil)
    var now = start
    for (attempt, pause) in [0, 1, 2, 4, 8, 16, 32, 60, 60].enumerated() {
      let begins = recovery.fail(Fault(), at: now)
      #expect(begins == (attempt == 0) && recovery.failure == Fault())
      let due = now + .seconds(pause)
      #expect(recovery.isDue(at: due), "\(attempt)")
      #expect(pause == 0 || !recovery.isDue(at: due - .milliseconds(1)), "\(attempt)")
      now = due
    }
    #expect(recovery.succeed() == start && recovery.failure == nil && recovery.isDue(at: start))
    #expect(recovery.succeed() == nil)
    // From the beginning again.
    let begins = recovery.fail(Fault(), at: now)
    #expect(begins && recovery.isDue(at: now))
  }
}

@Suite struct BackOffTests {
  @Test func `each attempt waits twice as long up to the longest`() {
    var backOff = BackOff(first: .milliseconds(100), longest: .seconds(5))
    let waits = (0..<8).map { _ in backOff.next() }
    #expect(waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5].map { Duration.milliseconds(Int($0 * 1000)) })
    backOff.reset()
    #expect(backOff.next() == .milliseconds(100))
  }
}
