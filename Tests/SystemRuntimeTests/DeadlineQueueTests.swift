import Model
import Testing

@testable import SystemRuntime

@Suite struct DeadlineQueueTests {
  private let start = Instant.now

  @Test(arguments: [[], [5], [3, 1, 2], [1, 1, 1], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [2, 2, 1, 3, 1]])
  func `the earliest comes first`(times: [Int]) {
    var queue = DeadlineQueue()
    for (token, time) in times.enumerated() { queue.add(UInt64(token), at: start + .seconds(time)) }
    #expect(queue.earliest == times.min().map { start + .seconds($0) })
    var taken: [Int] = []
    while let entry = queue.take(until: start + .seconds(100)) {
      taken.append(Int((entry.time - start).components.seconds))
      #expect(times[Int(entry.token)] == taken.last)
    }
    #expect(taken == times.sorted())
    #expect(queue.count == 0)
  }

  @Test func `what is not due stays`() {
    var queue = DeadlineQueue()
    queue.add(1, at: start + .seconds(1))
    queue.add(2, at: start + .seconds(2))
    #expect(queue.take(until: start) == nil)
    #expect(queue.take(until: start + .seconds(1))?.token == 1)
    #expect(queue.take(until: start + .seconds(1)) == nil)
    #expect(queue.count == 1)
  }

  @Test func `thousands in random order`() {
    var queue = DeadlineQueue()
    var state: UInt64 = 42
    for token in 0..<5000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      queue.add(UInt64(token), at: start + .milliseconds(Int(state >> 50)))
    }
    var last = start
    var count = 0
    while let entry = queue.take(until: start + .seconds(1000)) {
      #expect(entry.time >= last)
      last = entry.time
      count += 1
    }
    #expect(count == 5000)
  }
}
