import Model

/// The traces of one target, one after the other. Does no I/O.
struct TraceSchedule: Sendable {
  private let settings: ProbeJob.Trace
  private var round: TraceRound?
  private var clock: RoundClock
  /// When requests were sent that have no answer: a late one must not count for another round's.
  private var unanswered: [ContinuousClock.Instant] = []

  /// When `advance` is to be called next; nil when nothing is left to do.
  private(set) var wake: ContinuousClock.Instant?

  /// Later than this after its request no answer comes.
  private static let latest = Duration.seconds(10)
  /// With more requests that have no answer, none that names no request is certain.
  private static let mostUnanswered = 64

  /// Begins the first trace at `start`.
  init(_ settings: ProbeJob.Trace, start: ContinuousClock.Instant) {
    self.settings = settings
    clock = RoundClock(settings.interval, start: start)
    wake = start
  }

  /// A trace that is over, and when it began.
  struct Finished: Sendable, Hashable {
    var began: Timestamp
    var trace: RouteTrace
  }

  /// Begins no trace any more; the one that runs goes on.
  mutating func finish() {
    clock.finish()
    if round == nil { wake = nil }
  }

  /// Does what is due: calls `send` for each request that is to be sent, and returns a trace that is over.
  mutating func advance(
    at now: RoundTripClock.Reading, _ time: Timestamp, send: (EchoTokenPart, Int) -> Void
  ) -> Finished? {
    let instant = now.instant
    if round == nil, clock.begins(at: instant) {
      let oldest = instant - max(Self.latest, settings.timeout * 2)
      unanswered.removeAll { $0 < oldest }
      round = TraceRound(
        number: clock.number, hops: settings.hops, timeout: settings.timeout, older: unanswered.count,
        began: time)
    }
    while let request = round?.nextRequest(at: now) {
      send(EchoTokenPart(round: clock.number, number: request.rawValue), request.hopLimit)
    }
    var finished: Finished?
    if round?.isOver(at: instant) == true, let over = round {
      finished = Finished(began: over.began, trace: over.trace)
      unanswered = (unanswered + over.unanswered).suffix(Self.mostUnanswered)
      round = nil
    }
    wake = round.map { $0.deadline ?? instant } ?? clock.nextStart
    return finished
  }

  /// Takes note of when exactly a request was sent.
  mutating func sent(_ part: EchoTokenPart, at reading: RoundTripClock.Reading) {
    if part.round == round?.number { round?.sent(TraceRound.Request(rawValue: part.number), at: reading) }
  }

  /// Takes note of the kernel's stamp of a request.
  mutating func stamp(_ part: EchoTokenPart, _ stamp: Int64) {
    if part.round == round?.number { round?.stamp(TraceRound.Request(rawValue: part.number), stamp) }
  }

  /// Takes an answer; returns whether `advance` is to be called because of it.
  mutating func answer(
    _ part: EchoTokenPart, _ answer: TraceRound.Answer, received: RoundTripClock.Reading, stamp: Int64?
  ) -> Bool {
    guard part.round == round?.number else { return false }
    round?.answer(TraceRound.Request(rawValue: part.number), answer, received: received, stamp: stamp)
    wake = received.instant
    return true
  }

  /// Takes an answer that names no request; returns whether `advance` is to be called because of it.
  mutating func answer(
    unquoted answer: TraceRound.Answer, received: RoundTripClock.Reading, stamp: Int64?
  ) -> Bool {
    guard round != nil else { return false }
    round?.answer(unquoted: answer, received: received, stamp: stamp)
    wake = received.instant
    return true
  }
}
