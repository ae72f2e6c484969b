import Model
import Testing

@testable import SystemRuntime

@Suite struct LastingMomentTests {
  @Test(arguments: [
    // The clock that is never set counts within one boot, whatever the wall clock says.
    ("a", "a", Int64(5), Int64(9), Int64(100), Int64(50), Duration.nanoseconds(4)),
    ("a", "a", 9, 5, 0, 100, .zero),
    ("a", "b", 9, 5, 100, 350, .nanoseconds(250)),
    ("a", "b", 5, 9, 350, 100, .zero),
    ("", "", 5, 9, 100, 350, .nanoseconds(250)),
    ("a", "a", .min, .max, 0, 0, .nanoseconds(Int64.max) - .nanoseconds(Int64.min)),
  ])
  func `what has passed`(
    firstBoot: String, boot: String, before: Int64, after: Int64, wallBefore: Int64, wall: Int64,
    passed: Duration
  ) {
    let earlier = LastingMoment(boot: firstBoot, sinceBoot: before, wall: wallBefore)
    #expect(LastingMoment(boot: boot, sinceBoot: after, wall: wall).elapsed(since: earlier) == passed)
  }

  @Test func `the clock is the one that durations are measured by`() {
    let (first, start) = (LastingMoment.now(), Instant.now)
    let (end, last) = (Instant.now, LastingMoment.now())
    #expect(first.boot.count == 36 && first.boot == last.boot)
    #expect(last.elapsed(since: first) >= end - start)
  }
}
