import Lab
import Model
import Testing

@testable import Probes

/// Answers that name no request: only what is certain is anybody's.
@Suite struct UnquotedAnswersTests {
  private static func router(_ number: Int) -> TraceRound.Answer {
    .timeExceeded(by: IPAddress(v4: 0x0a00_0000 | UInt32(number)))
  }

  @Test func `a request that is alone has the answer`() {
    var answers = UnquotedAnswers(older: 0)
    answers.addRequest()
    #expect(answers.unanswered == 1)
    let isCounted = answers.add(Self.router(1))
    #expect(isCounted && answers.unanswered == 0)
    #expect(answers.isCertain(Self.router(1), of: [0]))
    #expect(!answers.isCertain(Self.router(2), of: [0]))
    // More answers than requests: a copy of one.
    answers.repeated()
    let isCountedAgain = answers.add(Self.router(1))
    #expect(!isCountedAgain && answers.count == 1)
  }

  @Test func `an answer is that of whom no other answer names`() {
    var answers = UnquotedAnswers(older: 0)
    for _ in 0..<3 { answers.addRequest() }
    _ = answers.add(Self.router(1))
    answers.addNamed()
    #expect(!answers.isCertain(Self.router(1), of: [0]))
    answers.addNamed()
    #expect(answers.isCertain(Self.router(1), of: [0]))
  }

  @Test(arguments: 0...6) func `each other request that has no answer takes one more`(silent: Int) {
    var answers = UnquotedAnswers(older: silent / 2)
    for _ in 0..<silent - silent / 2 { answers.addRequest() }
    var requests: [Int] = []
    while !answers.isCertain(Self.router(1), of: requests) {
      requests.append(answers.count)
      answers.addRequest()
      answers.repeated()
      // A second copy counts for nothing.
      let counted = (0..<2).map { _ in answers.add(Self.router(1)) }
      #expect(counted == [true, false])
    }
    #expect(requests.count == silent + 1)
  }

  /// Hops with or without routers that quote nothing, answers that come late, in any order, or never.
  @Test(arguments: 0..<200) func `what is certain is true, however late answers are`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let routers = (1...4).map { Bool.random(using: &random) ? Self.router($0) : Self.router(9) }
    let silent = Set((0..<4).filter { _ in Int.random(in: 0..<3, using: &random) == 0 })
    var answers = UnquotedAnswers(older: 2)
    var requests = [[Int]](repeating: [], count: 4)
    var waiting = (0..<2).map { _ in Int.random(in: 0..<4, using: &random) }
    for _ in 0..<60 {
      if Bool.random(using: &random) {
        let hop = Int.random(in: 0..<4, using: &random)
        requests[hop].append(answers.count)
        answers.addRequest()
        answers.repeated()
        waiting.append(hop)
      } else if let position = waiting.indices.randomElement(using: &random) {
        let hop = waiting.remove(at: position)
        if !silent.contains(hop) { _ = answers.add(routers[hop]) }
      }
      for hop in 0..<4 {
        for router in Set(routers) where answers.isCertain(router, of: requests[hop]) {
          #expect(routers[hop] == router && !silent.contains(hop))
        }
      }
    }
  }
}
