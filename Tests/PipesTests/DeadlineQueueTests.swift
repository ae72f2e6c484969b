import Testing

@testable import Pipes
@testable import SystemRuntime

@Suite struct DeadlineQueueTests {
  private let start = ContinuousClock.now

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

@Suite struct LogLimiterTests {
  @Test func `one line of a kind a second, the others counted`() {
    let start = ContinuousClock.now
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

@Suite struct TokenTests {
  @Test(arguments: [
    Token(slot: 0, generation: 0, .waker), Token(slot: 7, generation: 3, .listener),
    Token(slot: 0, generation: 0, .client),
    Token(slot: 4_000_000_000, generation: 0xff_ffff, .client), Token(slot: 12, generation: 1, .attempt(0)),
    Token(slot: 12, generation: 1, .attempt(15)),
  ])
  func `a token survives the kernel`(token: Token) {
    #expect(Token(token.raw) == token)
  }

  @Test func `tokens of one connection differ by their descriptor only`() {
    let token = Token(slot: 9, generation: 0x1_00_00_07, .client)
    #expect(token.generation == 7)
    #expect(token.with(.attempt(2)).slot == 9)
    #expect(token.with(.attempt(2)) != token)
    #expect(Set((0..<16).map { token.with(.attempt($0)).raw }).count == 16)
  }
}
