import Model

/// The traces of one target, one after the other, each of one or several flows. Does no I/O.
///
/// Several flows are paced: routers answer few requests a second, and the path is there for others.
struct TraceSchedule: Sendable {
  /// What runs of a trace.
  private struct Run: Sendable {
    let began: Timestamp
    /// The flows that are traced now, by their number.
    var rounds: [(flow: Int, round: TraceRound)] = []
    var nextFlow = 0
    /// What the flows have found that are over.
    var found: [(flow: Int, trace: RouteTrace)] = []

    /// What all of them have found.
    var trace: RouteTrace { RouteTrace(flows: found.sorted { $0.flow < $1.flow }.map(\.trace)) }
  }

  private let settings: ProbeJob.Trace
  private var run: Run?
  private var clock: RoundClock
  private var nextSend: Instant
  /// When requests of each flow were sent that have no answer: a late one must not count for another round's.
  private var unanswered: [[Instant]]

  /// When `advance` is to be called next; nil when nothing is left to do.
  private(set) var wake: Instant?

  /// How many flows are traced at a time.
  static let flowsAtOnce = 4
  /// The time between two requests of several flows.
  static let gap = Duration.milliseconds(10)
  /// Later than this after its request no answer comes.
  private static let latest = Duration.seconds(10)
  /// With more requests that have no answer, none that names no request is certain.
  private static let mostUnanswered = 64

  /// Begins the first trace at `start`.
  init(_ settings: ProbeJob.Trace, start: Instant) {
    self.settings = settings
    clock = RoundClock(settings.interval, start: start)
    nextSend = start
    unanswered = Array(repeating: [], count: settings.flows)
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
    if run == nil { wake = nil }
  }

  /// Whether a flow is traced now.
  func isTracing(_ flow: Int) -> Bool { run?.rounds.contains { $0.flow == flow } ?? false }

  /// Does what is due: calls `send` with the flow and the hop limit of each request that is to be sent, and returns a trace that
  /// is over.
  mutating func advance(
    at now: RoundTripClock.Reading, _ time: Timestamp, send: (EchoTokenPart, Int, Int) -> Void
  ) -> Finished? {
    if run == nil, clock.begins(at: now.instant) { run = Run(began: time) }
    var isHeld = false
    repeat {
      begin(at: now.instant)
      isHeld = sendDue(at: now, send)
    } while end(at: now.instant)
    var finished: Finished?
    if let over = run, over.rounds.isEmpty {
      finished = Finished(began: over.began, trace: over.trace)
      run = nil
    }
    let deadlines = run?.rounds.compactMap(\.round.deadline) ?? []
    wake = run == nil ? clock.nextStart : (deadlines + (isHeld ? [nextSend] : [])).min() ?? now.instant
    return finished
  }

  /// Begins flows while there is room.
  private mutating func begin(at now: Instant) {
    while let run, run.nextFlow < settings.flows, run.rounds.count < Self.flowsAtOnce {
      let oldest = now - max(Self.latest, settings.timeout * 2)
      unanswered[run.nextFlow].removeAll { $0 < oldest }
      let round = TraceRound(
        hops: settings.hops, timeout: settings.timeout, older: unanswered[run.nextFlow].count)
      self.run?.rounds.append((run.nextFlow, round))
      self.run?.nextFlow += 1
    }
  }

  /// Sends what is due; returns whether more may be due later, when the time since the last request is over.
  private mutating func sendDue(
    at now: RoundTripClock.Reading, _ send: (EchoTokenPart, Int, Int) -> Void
  ) -> Bool {
    for index in run?.rounds.indices ?? 0..<0 {
      while true {
        if settings.flows > 1, nextSend > now.instant { return true }
        guard let request = run?.rounds[index].round.nextRequest(at: now), let flow = run?.rounds[index].flow
        else { break }
        nextSend = now.instant + Self.gap
        send(EchoTokenPart(round: clock.number, number: request.rawValue), flow, request.ttl)
      }
    }
    return false
  }

  /// Takes out the flows that are over; returns whether others may begin instead.
  private mutating func end(at now: Instant) -> Bool {
    guard var run else { return false }
    for index in run.rounds.indices.reversed() where run.rounds[index].round.isOver(at: now) {
      let (flow, round) = run.rounds.remove(at: index)
      run.found.append((flow, round.trace))
      unanswered[flow] = (unanswered[flow] + round.unanswered).suffix(Self.mostUnanswered)
    }
    self.run = run
    return run.rounds.count < Self.flowsAtOnce && run.nextFlow < settings.flows
  }

  /// Lets `body` change the round that a request is of; returns false where that is over.
  private mutating func change(_ flow: Int, _ number: UInt16, _ body: (inout TraceRound) -> Void) -> Bool {
    guard number == clock.number, let index = run?.rounds.firstIndex(where: { $0.flow == flow }) else {
      return false
    }
    if var round = run?.rounds[index].round {
      body(&round)
      run?.rounds[index].round = round
    }
    return true
  }

  /// Takes note of when exactly a request of a flow was sent.
  mutating func sent(_ part: EchoTokenPart, of flow: Int, at reading: RoundTripClock.Reading) {
    _ = change(flow, part.round) { $0.sent(TraceRound.Request(rawValue: part.number), at: reading) }
  }

  /// Takes note of the kernel's stamp of a request of a flow.
  mutating func stamp(_ part: EchoTokenPart, of flow: Int, _ stamp: Int64) {
    _ = change(flow, part.round) { $0.stamp(TraceRound.Request(rawValue: part.number), stamp) }
  }

  /// Takes an answer to a request of a flow, nil for one that names none; returns whether `advance` is to be called because of it.
  mutating func answer(
    _ part: EchoTokenPart?, of flow: Int, _ answer: TraceRound.Answer, received: RoundTripClock.Reading,
    stamp: Int64?
  ) -> Bool {
    let isTaken = change(flow, part?.round ?? clock.number) { round in
      if let part {
        round.answer(TraceRound.Request(rawValue: part.number), answer, received: received, stamp: stamp)
      } else {
        round.answer(unquoted: answer, received: received, stamp: stamp)
      }
    }
    if isTaken { wake = received.instant }
    return isTaken
  }
}
