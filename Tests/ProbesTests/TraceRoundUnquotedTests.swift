import Lab
import SystemRuntime
import Model
import Testing

@testable import Probes

/// Traces along routers of which some quote nothing that tells requests apart.
@Suite struct TraceRoundUnquotedTests {
  /// A router, or the destination.
  private struct Hop {
    var quotes = true
    /// How long its answer takes, in milliseconds; nil for none.
    var delay: Int? = 5
    /// Whether each answer comes twice.
    var isDoubled = false

    static let quiet = Hop(quotes: false)
    static let silent = Hop(delay: nil)
  }

  /// What a trace along a path found, and how long that took.
  private struct Run {
    var trace: RouteTrace
    var milliseconds: Int
    var requests: [Int]
    var unanswered: Int
    var mostUnderWay: Int
  }

  private static let start = Instant.now

  private static func at(_ milliseconds: Int) -> RoundTripClock.Reading {
    RoundTripClock.Reading(
      instant: start + .milliseconds(milliseconds),
      wall: 1_700_000_000_000_000_000 + Int64(milliseconds) * 1_000_000)
  }

  private static func address(_ number: Int) -> IPAddress { IPAddress(v4: 0x0a00_0000 | UInt32(number)) }

  /// Traces a path; the last of `path` is the destination. `strays` come besides: when, and of which hop.
  private static func run(
    _ path: [Hop], older: Int = 0, hops: Int = 12, strays: [(at: Int, hop: Int)] = []
  ) -> Run {
    typealias Arrival = (time: Int, hop: Int, request: TraceRound.Request?)
    var round = TraceRound(hops: hops, older: older)
    var arrivals: [Arrival] = strays.map { (time: $0.at, hop: $0.hop, request: nil) }
    var requests: [Int] = []
    var (time, mostUnderWay) = (0, 0)
    while true {
      while let request = round.nextRequest(at: at(time)) {
        requests.append(request.ttl)
        let index = min(request.ttl, path.count) - 1
        guard let delay = path[index].delay else { continue }
        for _ in 0..<(path[index].isDoubled ? 2 : 1) {
          arrivals.append((time + delay, index, path[index].quotes ? request : nil))
        }
      }
      mostUnderWay = max(mostUnderWay, arrivals.count)
      if round.isOver(at: at(time).instant) {
        return Run(
          trace: round.trace, milliseconds: time, requests: requests, unanswered: round.unanswered.count,
          mostUnderWay: mostUnderWay)
      }
      let deadline = round.deadline.map { Int((($0 - start) / .milliseconds(1)).rounded(.up)) }
      time = max(time, min(arrivals.map(\.time).min() ?? .max, deadline ?? .max))
      for arrival in arrivals where arrival.time <= time {
        let isEnd = arrival.hop == path.count - 1
        let answer: TraceRound.Answer =
          isEnd ? .reached(address(arrival.hop + 1)) : .timeExceeded(by: address(arrival.hop + 1))
        if let request = arrival.request {
          round.answer(request, answer, received: at(arrival.time), stamp: nil)
        } else {
          round.answer(unquoted: answer, received: at(arrival.time), stamp: nil)
        }
      }
      arrivals.removeAll { $0.time <= time }
    }
  }

  private static func route(_ path: [Hop]) -> [IPAddress?] {
    path.enumerated().map { $1.delay == nil ? nil : address($0 + 1) }
  }

  @Test func `one router that quotes nothing costs no further request`() {
    let path = [.quiet, Hop(), Hop(), Hop(delay: 40)]
    let run = Self.run(path)
    #expect(run.trace.hops.map(\.address) == Self.route(path) && run.trace.ending == .reached)
    #expect(run.requests.filter { $0 == 1 }.count == 1)
    #expect(run.trace.hops[0].roundTrip == .milliseconds(5) && run.milliseconds < 100)
    #expect(run.mostUnderWay == TraceRound.window)
  }

  @Test func `a path of such routers, and such a destination, are known`() {
    let path = [Hop](repeating: .quiet, count: 11)
    let run = Self.run(path, hops: 30)
    #expect(run.trace.hops.map(\.address) == Self.route(path) && run.trace.ending == .reached)
    #expect(run.unanswered < 10 && run.milliseconds < 1000, "\(run)")
  }

  @Test func `silent hops between them are silent`() {
    let path: [Hop] = [.quiet, .silent, Hop(), .quiet, .silent, .quiet, Hop()]
    let run = Self.run(path)
    #expect(run.trace.hops.map(\.address) == Self.route(path) && run.trace.ending == .reached, "\(run)")
  }

  @Test func `requests of rounds before may be what is answered`() {
    // All that comes may be late answers to those.
    let few = Self.run([.quiet, Hop()], older: 3)
    #expect(few.trace.hops.map(\.address) == [Self.address(1), Self.address(2)])
    #expect(few.requests.filter { $0 == 1 }.count == 4)
    let many = Self.run([.quiet, Hop()], older: TraceRound.repetitions)
    #expect(many.trace.hops.map(\.address) == [nil, Self.address(2)])
    #expect(many.requests.filter { $0 == 1 }.count == TraceRound.repetitions)
  }

  @Test func `late answers of another hop count for none`() {
    // The first router's answers take two seconds: those of a round before come now.
    let slow = Hop(quotes: false, delay: 2000)
    let run = Self.run([slow, .silent, Hop()], older: 2, strays: [(10, 0), (500, 0)])
    #expect(run.trace.hops.map(\.address) == [nil, nil, Self.address(3)], "\(run)")
  }

  @Test func `second copies count for none`() {
    let quiet = Hop(quotes: false, isDoubled: true)
    let path: [Hop] = [quiet, .silent, quiet, Hop(isDoubled: true), quiet]
    let run = Self.run(path)
    #expect(run.trace.hops.map(\.address) == Self.route(path), "\(run)")
  }

  @Test(arguments: 0..<300) func `what is said of a hop is true, whatever the path`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let path = (0..<Int.random(in: 1...10, using: &random)).map { _ in
      Hop(
        quotes: Int.random(in: 0..<3, using: &random) > 0,
        delay: Int.random(in: 0..<5, using: &random) == 0
          ? nil : [1, 20, 300, 900, 1500, 4000].randomElement(using: &random),
        isDoubled: Int.random(in: 0..<4, using: &random) == 0)
    }
    let run = Self.run(path)
    let length = run.trace.ending == .reached ? path.count : 12
    #expect(run.trace.hops.count == length, "\(path): \(run)")
    for (index, hop) in run.trace.hops.enumerated() {
      #expect(hop.address == nil || hop.address == Self.address(index + 1), "\(path): \(run)")
      guard index < path.count else { continue }
      // Who quotes, and in time, is known.
      if path[index].quotes, let delay = path[index].delay, delay < 1000 {
        #expect(hop.roundTrip == .milliseconds(delay), "\(path): \(run)")
      }
    }
    #expect(run.requests.count < 12 * TraceRound.repetitions && run.milliseconds < (24 + 64) * 1000)
  }
}
