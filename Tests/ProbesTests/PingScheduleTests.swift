import Model
import SystemRuntime
import Testing

@testable import Probes

/// Bursts of pings in time: nothing here waits, and nothing is sent.
@Suite struct PingScheduleTests {
  private let start = Instant.now

  private func at(_ milliseconds: Double) -> RoundTripClock.Reading {
    let passed = Duration.microseconds(Int64(milliseconds * 1000))
    return RoundTripClock.Reading(
      instant: start + passed, wall: 1_700_000_000_000_000_000 + Int64(milliseconds * 1_000_000))
  }

  private func stamp(_ milliseconds: Double) -> Int64 { at(milliseconds).wall }

  private let clock = Timestamp(seconds: 1_700_000_000)

  /// A schedule, and all requests that it has sent.
  private struct Run {
    var schedule: PingSchedule
    var sent: [EchoTokenPart] = []
    var finished: [PingBurst] = []

    mutating func advance(_ now: RoundTripClock.Reading) {
      let clock = Timestamp(seconds: 1_700_000_000)
      let due = schedule.advance(at: now, clock)
      sent += due.numbers.map { EchoTokenPart(round: due.round, number: $0) }
      if due.isOver, let over = schedule.takeFinished() { finished.append(over.burst) }
    }
  }

  private func run(
    interval: Duration? = .milliseconds(500), count: Int = 3, timeout: Duration = .seconds(1),
    gap: Duration = .milliseconds(10)
  ) -> Run {
    Run(
      schedule: PingSchedule(
        ProbeJob.Ping(interval: interval, count: count, timeout: timeout, gap: gap), start: start))
  }

  @Test func `requests are sent one gap apart, and the burst is over with the last reply`() {
    var run = run()
    for time in [0.0, 5, 10, 20] { run.advance(at(time)) }
    #expect(run.sent.map(\.number) == [0, 1, 2])
    for (number, time) in [(0, 1.0), (1, 11.5), (2, 22)] {
      let isOver = run.schedule.reply(
        EchoTokenPart(round: 1, number: UInt16(number)), received: at(time), stamp: stamp(time))
      #expect(isOver == (number == 2))
    }
    run.advance(at(22))
    #expect(run.finished.map(\.roundTrips) == [[.milliseconds(1), .microseconds(1500), .milliseconds(2)]])
    #expect(run.finished.map(\.loss) == [0])
    // The next burst begins one interval after the first began.
    #expect(run.schedule.wake == at(500).instant)
  }

  @Test func `a burst that is lost takes one timeout`() {
    var run = run(count: 10)
    for time in stride(from: 0.0, through: 90, by: 10) { run.advance(at(time)) }
    #expect(run.schedule.wake == at(1090).instant)
    run.advance(at(1089))
    #expect(run.finished.isEmpty)
    run.advance(at(1090))
    #expect(run.finished.map(\.loss) == [100])
    #expect(run.finished.first?.sent == 10 && run.finished.first?.statistics == nil)
    // It took longer than the interval: the next begins at once.
    run.advance(at(1090))
    #expect(run.sent.count == 11)
  }

  @Test func `what the path says ends the wait, and a reply after it still counts`() {
    var run = run(count: 2, gap: .zero)
    run.advance(at(0))
    let error = PathError(.hostUnreachable, reporter: .anyV4)
    let isOverAtOnce = run.schedule.fail(EchoTokenPart(round: 1, number: 0), error, at: at(1).instant)
    _ = run.schedule.reply(EchoTokenPart(round: 1, number: 0), received: at(2), stamp: nil)
    let isOver = run.schedule.fail(EchoTokenPart(round: 1, number: 1), error, at: at(3).instant)
    #expect(!isOverAtOnce && isOver)
    run.advance(at(3))
    #expect(run.finished.map(\.loss) == [50])
    #expect(run.finished.map(\.error) == [error])
  }

  @Test func `duplicates, late replies and order are told apart and never lower the loss`() {
    var run = run(count: 4, timeout: .milliseconds(100), gap: .zero)
    run.advance(at(0))
    let reply = { (run: inout Run, round: UInt16, number: UInt16, time: Double) in
      _ = run.schedule.reply(
        EchoTokenPart(round: round, number: number), received: at(time), stamp: stamp(time))
    }
    // In another order than they were sent.
    reply(&run, 1, 2, 5)
    reply(&run, 1, 0, 6)
    reply(&run, 1, 2, 7)
    // Beyond its time, although the burst is not over.
    reply(&run, 1, 1, 101)
    // A request that was not sent, and a round that was not begun.
    reply(&run, 1, 9, 8)
    reply(&run, 7, 0, 8)
    run.advance(at(120))
    let burst = run.finished.first
    #expect(burst?.roundTrips == [.milliseconds(6), .milliseconds(5)])
    #expect(burst?.duplicates == 1)
    #expect(burst?.late == 2)
    #expect(burst?.loss == 50)
    // A reply to the burst before counts as late in the next one, a second copy as such.
    run.advance(at(500))
    reply(&run, 1, 3, 501)
    reply(&run, 1, 0, 502)
    for number in 0..<4 { reply(&run, 2, UInt16(number), 503) }
    run.advance(at(503))
    #expect(run.finished.last?.late == 1 && run.finished.last?.duplicates == 1)
    #expect(run.finished.last?.loss == 0)
  }

  @Test func `a late reader of a reply in time is not late`() {
    var run = run(count: 1, timeout: .milliseconds(100))
    run.advance(at(0))
    _ = run.schedule.reply(EchoTokenPart(round: 1, number: 0), received: at(150), stamp: stamp(30))
    run.advance(at(150))
    #expect(run.finished.first?.roundTrips == [.milliseconds(30)])
  }

  @Test func `missed bursts are not made up for`() {
    var run = run(count: 1)
    run.advance(at(0))
    _ = run.schedule.reply(EchoTokenPart(round: 1, number: 0), received: at(1), stamp: nil)
    run.advance(at(10_250))
    run.advance(at(10_250))
    #expect(run.sent.count == 2)
    _ = run.schedule.reply(EchoTokenPart(round: 2, number: 0), received: at(10_251), stamp: nil)
    run.advance(at(10_251))
    #expect(run.schedule.wake == at(10_250).instant + .milliseconds(500))
  }

  @Test func `one burst without an interval, and none after the finish`() {
    var once = run(interval: nil, count: 1)
    once.advance(at(0))
    once.advance(at(1000))
    #expect(once.finished.count == 1 && once.schedule.wake == nil)
    var many = run(count: 1)
    many.advance(at(0))
    many.schedule.finish()
    #expect(many.schedule.wake == at(1000).instant)
    many.advance(at(1000))
    #expect(many.finished.count == 1 && many.schedule.wake == nil)
    many.advance(at(5000))
    #expect(many.sent.count == 1)
  }

  @Test func `a burst of no requests is lost, and over at once`() {
    var run = run(count: 0)
    run.advance(at(0))
    #expect(run.sent.isEmpty && run.finished.map(\.loss) == [100])
    #expect(run.schedule.wake == at(500).instant)
    run.advance(at(500))
    #expect(run.finished.count == 2)
  }

  struct Clocks: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var wallStep = 0.0
    var sentStamp: Double?
    var receivedStamp: Double?
    var expected: Double
  }

  /// A request of time 0 whose reply is read at 10 ms.
  @Test(arguments: [
    Clocks(testDescription: "no stamps", expected: 10),
    Clocks(testDescription: "a stamp of the reply", receivedStamp: 4, expected: 4),
    Clocks(testDescription: "both stamps", sentStamp: 1, receivedStamp: 4, expected: 3),
    Clocks(
      testDescription: "the clock is set forward by an hour", wallStep: 3_600_000, receivedStamp: 3_600_004,
      expected: 10),
    Clocks(testDescription: "and back", wallStep: -3_600_000, receivedStamp: -3_599_996, expected: 10),
    Clocks(testDescription: "back by a little", wallStep: -5, receivedStamp: -1, expected: 10),
    Clocks(testDescription: "slewed", wallStep: 0.02, receivedStamp: 4.02, expected: 4.02),
    Clocks(
      testDescription: "by as much as a second's slewing", wallStep: 0.64, receivedStamp: 4.64, expected: 4.64
    ),
    Clocks(testDescription: "by more", wallStep: 0.66, receivedStamp: 4.66, expected: 10),
    Clocks(testDescription: "a stamp before the request", receivedStamp: -1, expected: 10),
    Clocks(testDescription: "a stamp after it was read", receivedStamp: 12, expected: 10),
  ])
  func `the kernel's stamps are believed unless the clock was set`(clocks: Clocks) {
    let sent = at(0)
    let received = RoundTripClock.Reading(
      instant: at(10).instant, wall: stamp(10 + clocks.wallStep))
    let found = RoundTripClock.roundTrip(
      sent: sent, sentStamp: clocks.sentStamp.map(stamp), received: received,
      receivedStamp: clocks.receivedStamp.map(stamp))
    #expect(abs(found.inSeconds * 1000 - clocks.expected) < 0.001)
  }
}
