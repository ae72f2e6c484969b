import Model
import SystemRuntime
import Testing

@testable import Probes

/// Traces of several flows: how many requests are sent when, and what they find together.
@Suite struct TraceScheduleTests {
  private struct Sent: Hashable {
    var time: Int
    var flow: Int
    var hop: Int
  }

  private let start = Instant.now

  private func at(_ milliseconds: Int) -> RoundTripClock.Reading {
    RoundTripClock.Reading(instant: start + .milliseconds(milliseconds), wall: 0)
  }

  private static func address(_ number: Int) -> IPAddress { IPAddress(v4: 0x0a00_0000 | UInt32(number)) }

  /// Traces with `flows` flows; `router` says who answers a flow at a distance after 5 ms, nil for nobody.
  private func run(
    flows: Int, hops: Int, _ router: (Int, Int) -> TraceRound.Answer?
  ) throws -> (sent: [Sent], trace: RouteTrace, mostUnderWay: Int) {
    var schedule = TraceSchedule(ProbeJob.Trace(interval: nil, hops: hops, flows: flows), start: start)
    var sent: [Sent] = []
    var arrivals: [(time: Int, part: EchoTokenPart, flow: Int, answer: TraceRound.Answer)] = []
    var (time, mostUnderWay) = (0, 0)
    while true {
      let finished = schedule.advance(at: at(time), Timestamp(seconds: 0)) { part, flow, hop in
        sent.append(Sent(time: time, flow: flow, hop: hop))
        if let answer = router(flow, hop) { arrivals.append((time + 5, part, flow, answer)) }
      }
      let waiting = sent.suffix(100).filter { time - $0.time < (router($0.flow, $0.hop) == nil ? 1000 : 5) }
      mostUnderWay = max(mostUnderWay, waiting.count)
      if let finished { return (sent, finished.trace, mostUnderWay) }
      let wake = try #require(schedule.wake)
      let next = Int(((wake - start) / .milliseconds(1)).rounded(.up))
      // Something is always waited for.
      try #require(next > time || arrivals.contains { $0.time <= time } || wake == at(time).instant)
      time = min(max(next, time), arrivals.map(\.time).min() ?? .max)
      for arrival in arrivals where arrival.time <= time {
        #expect(
          schedule.answer(
            arrival.part, of: arrival.flow, arrival.answer, received: at(arrival.time), stamp: nil)
            || !schedule.isTracing(arrival.flow))
      }
      arrivals.removeAll { $0.time <= time }
    }
  }

  @Test func `sixty-four flows of thirty silent hops are no burst`() throws {
    let run = try run(flows: 64, hops: 30) { _, _ in nil }
    #expect(run.sent.count == 64 * 30 * TraceRound.attempts)
    #expect(run.mostUnderWay <= TraceSchedule.flowsAtOnce * TraceRound.window)
    let gaps = zip(run.sent, run.sent.dropFirst()).map { $1.time - $0.time }
    #expect(gaps.allSatisfy { $0 >= 10 })
    #expect(Set(run.sent.map(\.flow)) == Set(0..<64))
    #expect(run.trace.flows == 64 && run.trace.others.isEmpty && run.trace.ending == .exhausted)
  }

  @Test func `each path is found once, the one of most flows first`() throws {
    let run = try run(flows: 16, hops: 30) { flow, hop in
      if hop >= 3 { return .reached(Self.address(9)) }
      return hop == 2 && flow == 0
        ? nil : .timeExceeded(by: Self.address(hop == 2 && flow % 4 == 1 ? 7 : hop))
    }
    #expect(run.trace.hops.map(\.address) == [1, 2, 9].map { Self.address($0) } && run.trace.flows == 12)
    #expect(run.trace.others.map { $0.hops.map(\.address) } == [[1, 7, 9].map { Self.address($0) }])
    #expect(run.trace.others.map(\.flows) == [4])
  }

  @Test func `one flow is not paced`() throws {
    let run = try run(flows: 1, hops: 8) { _, hop in hop < 8 ? .timeExceeded(by: Self.address(hop)) : nil }
    #expect(run.sent.prefix(8).allSatisfy { $0.time == 0 } && run.sent.count == 9)
    #expect(run.trace.flows == 1 && run.trace.others.isEmpty)
  }
}
