import Model
import SystemRuntime
import Testing

@testable import Probes

/// One trace: which hops are asked when, and what its end is.
@Suite struct TraceRoundTests {
  private let start = Instant.now

  private func at(_ milliseconds: Int) -> RoundTripClock.Reading {
    RoundTripClock.Reading(
      instant: start + .milliseconds(milliseconds),
      wall: 1_700_000_000_000_000_000 + Int64(milliseconds) * 1_000_000)
  }

  private static func router(_ number: Int) -> IPAddress { IPAddress(v4: 0x0a00_0000 | UInt32(number)) }

  private static let destination = IPAddress(v4: 0x0a09_0909)

  private func round(hops: Int = 30) -> TraceRound {
    TraceRound(hops: hops)
  }

  private func send(_ round: inout TraceRound, at time: Int) -> [TraceRound.Request] {
    var requests: [TraceRound.Request] = []
    while let request = round.nextRequest(at: at(time)) { requests.append(request) }
    return requests
  }

  private func isOver(_ round: inout TraceRound, at now: Instant) -> Bool {
    round.isOver(at: now)
  }

  @Test func `several hops are asked at a time, and more as they answer`() {
    var round = round()
    #expect(send(&round, at: 0).map(\.ttl) == Array(1...8))
    round.answer(
      .init(ttl: 2, attempt: 1), .timeExceeded(by: Self.router(2)), received: at(5), stamp: nil)
    #expect(send(&round, at: 5).map(\.ttl) == [9])
    #expect(round.deadline == at(1000).instant)
  }

  @Test func `a route: the nearest answer of the destination is its last hop`() {
    var round = round()
    _ = send(&round, at: 0)
    for limit in [3, 1] {
      round.answer(
        .init(ttl: limit, attempt: 1), .timeExceeded(by: Self.router(limit)), received: at(limit),
        stamp: at(limit).wall)
    }
    for limit in [6, 4, 5, 7, 8] {
      round.answer(
        .init(ttl: limit, attempt: 1), .reached(Self.destination), received: at(9), stamp: nil)
    }
    #expect(!isOver(&round, at: at(10).instant))
    // The second hop is silent: it is asked once more, then the trace is over.
    #expect(send(&round, at: 1000).map(\.rawValue) == [2 << 8 | 2])
    #expect(!isOver(&round, at: at(1999).instant))
    #expect(isOver(&round, at: at(2000).instant))
    #expect(
      round.trace
        == RouteTrace(
          hops: [
            .init(Self.router(1), .milliseconds(1)), .init(), .init(Self.router(3), .milliseconds(3)),
            .init(Self.destination, .milliseconds(9)),
          ], ending: .reached))
  }

  @Test func `a path of silent routers takes few timeouts, not one for each`() {
    var round = round()
    var time = 0
    var sent = 0
    while !round.isOver(at: at(time).instant) {
      sent += send(&round, at: time).count
      time += 1000
    }
    #expect(sent == 60)
    #expect(time == 8000)
    #expect(round.trace.hops == Array(repeating: .init(), count: 30) && round.trace.ending == .exhausted)
  }

  @Test func `what a router says of the path ends it there`() {
    var round = round()
    _ = send(&round, at: 0)
    let error = PathError(.prohibited, reporter: Self.router(3))
    round.answer(
      .init(ttl: 1, attempt: 1), .timeExceeded(by: Self.router(1)), received: at(1), stamp: nil)
    round.answer(
      .init(ttl: 2, attempt: 1), .timeExceeded(by: Self.router(2)), received: at(2), stamp: nil)
    for limit in [3, 4, 5] {
      round.answer(.init(ttl: limit, attempt: 1), .stopped(error), received: at(3), stamp: nil)
    }
    #expect(isOver(&round, at: at(3).instant))
    #expect(round.trace.hops.map(\.address) == [Self.router(1), Self.router(2), Self.router(3)])
    #expect(round.trace.ending == .stopped(error))
  }

  @Test func `this host has no route: no hop at all`() {
    var round = round()
    for request in send(&round, at: 0) {
      round.answer(request, .stopped(PathError(.networkUnreachable)), received: at(0), stamp: nil)
    }
    #expect(isOver(&round, at: at(0).instant))
    #expect(round.trace == RouteTrace(hops: [], ending: .stopped(PathError(.networkUnreachable))))
  }

  @Test func `a request that is refused does not end what is under way before it`() {
    var round = round()
    _ = send(&round, at: 0)
    let refusal = PathError(.prohibited)
    round.answer(.init(ttl: 5, attempt: 1), .stopped(refusal), received: at(0), stamp: nil)
    for ttl in 1...4 {
      round.answer(
        .init(ttl: ttl, attempt: 1), .timeExceeded(by: Self.router(ttl)), received: at(2), stamp: nil)
    }
    #expect(isOver(&round, at: at(2).instant))
    #expect(round.trace.hops.map(\.address) == (1...4).map(Self.router))
    #expect(round.trace.ending == .stopped(refusal))
  }

  /// The kernel looks for a neighbour for three seconds, and the requests of before are given up by then.
  @Test(arguments: [0, 2]) func `what this host says late ends it after the last hop that answered`(
    answered: Int
  ) {
    var round = round()
    _ = send(&round, at: 0)
    for ttl in 0..<answered {
      round.answer(
        .init(ttl: ttl + 1, attempt: 1), .timeExceeded(by: Self.router(ttl)), received: at(1), stamp: nil)
    }
    for time in [1000, 2000] {
      _ = isOver(&round, at: at(time).instant)
      _ = send(&round, at: time)
    }
    let late = PathError(.hostUnreachable)
    round.answer(.init(ttl: 12, attempt: 1), .undeliverable(late), received: at(2001), stamp: nil)
    #expect(isOver(&round, at: at(2001).instant))
    #expect(round.trace.hops.compactMap(\.address) == (0..<answered).map(Self.router))
    #expect(round.trace.hops.count == answered && round.trace.ending == .stopped(late))
  }

  @Test func `an answer to an attempt that was given up is not the next one's`() {
    var round = round(hops: 1)
    _ = send(&round, at: 0)
    #expect(send(&round, at: 1000).map(\.attempt) == [2])
    round.answer(.init(ttl: 1, attempt: 1), .reached(Self.destination), received: at(1001), stamp: nil)
    #expect(!isOver(&round, at: at(1001).instant))
    round.answer(.init(ttl: 1, attempt: 2), .reached(Self.destination), received: at(1003), stamp: nil)
    #expect(round.trace.hops == [.init(Self.destination, .milliseconds(3))])
  }

  @Test func `what no request asked for changes nothing`() {
    var round = round(hops: 3)
    _ = send(&round, at: 0)
    for request in [(0, 1), (4, 1), (255, 1), (1, 0), (1, 7)] {
      round.answer(
        .init(ttl: request.0, attempt: request.1), .reached(Self.destination), received: at(1),
        stamp: nil)
    }
    #expect(round.trace.ending == .exhausted && round.trace.hops.allSatisfy { $0.address == nil })
  }
}
