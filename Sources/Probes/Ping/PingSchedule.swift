import Model

/// The bursts of one target, one after the other. Does no I/O.
struct PingSchedule: Sendable {
  private let settings: ProbeJob.Ping
  private var round: PingRound?
  private var previous: PingRound?
  private var hasFinished = false
  private var late = 0
  private var duplicates = 0
  private var clock: RoundClock
  private var nextSend: Instant

  /// True while nothing answered the last burst.
  private(set) var isSilent = false

  /// When `advance` is to be called next; nil when nothing is left to do.
  private(set) var wake: Instant?

  /// Begins the first burst at `start`.
  init(_ settings: ProbeJob.Ping, start: Instant) {
    self.settings = settings
    clock = RoundClock(settings.interval, start: start)
    nextSend = start
    wake = start
  }

  /// A burst that is over, and when it began.
  struct Finished: Sendable, Hashable {
    var began: Timestamp
    var burst: PingBurst
  }

  /// Begins no burst any more; the one that runs goes on.
  mutating func finish() {
    clock.finish()
    if round == nil { wake = nil }
  }

  /// What is due. A range and no array: one is made for each request.
  struct Due: Sendable, Hashable {
    /// The requests that are to be sent, by their round and their numbers.
    var round: UInt16
    var numbers: Range<UInt16>
    /// Whether a burst is over, which `takeFinished` returns.
    var isOver = false
  }

  /// Does what is due.
  mutating func advance(at now: RoundTripClock.Reading, _ time: Timestamp) -> Due {
    let instant = now.instant
    if round == nil, clock.begins(at: instant) {
      round = PingRound(number: clock.number, count: settings.count, timeout: settings.timeout, began: time)
      nextSend = instant
    }
    let first = round?.nextRequest ?? 0
    var due = Due(round: clock.number, numbers: first..<first)
    while nextSend <= instant, let request = round?.nextRequest {
      round?.send(at: now)
      due.numbers = first..<request + 1
      nextSend = max(nextSend, instant - settings.gap) + settings.gap
    }
    if round?.isOver(at: instant) ?? false {
      due.isOver = true
      hasFinished = true
      previous = round
      round = nil
    }
    wake = round.map { $0.nextRequest == nil ? $0.deadline ?? instant : nextSend } ?? clock.nextStart
    return due
  }

  /// Takes the burst that `advance` has found over; nil when it was taken before.
  mutating func takeFinished() -> Finished? {
    guard hasFinished, let over = previous else { return nil }
    hasFinished = false
    let finished = Finished(began: over.began, burst: over.burst(late: late, more: duplicates))
    (late, duplicates) = (0, 0)
    isSilent = finished.burst.roundTrips.isEmpty
    return finished
  }

  /// Takes note of when exactly a request was sent.
  mutating func sent(_ part: EchoTokenPart, at reading: RoundTripClock.Reading) {
    if part.round == round?.number { round?.sent(part.number, at: reading) }
  }

  /// Takes note of the kernel's stamp of a request.
  mutating func stamp(_ part: EchoTokenPart, _ stamp: Int64) {
    if part.round == round?.number { round?.stamp(part.number, stamp) }
  }

  /// Takes a reply; returns whether the burst is over by it.
  mutating func reply(_ part: EchoTokenPart, received: RoundTripClock.Reading, stamp: Int64?) -> Bool {
    guard part.round == round?.number else {
      // A second reply to a request of the burst before is a duplicate, which the next burst has; of those before that
      // nothing is known.
      let kind =
        part.round == previous?.number
        ? previous?.reply(to: part.number, received: received, stamp: stamp) : .late
      if kind == .late || kind == .first { late += 1 }
      if kind == .duplicate { duplicates += 1 }
      return false
    }
    if round?.reply(to: part.number, received: received, stamp: stamp) == .late { late += 1 }
    return round?.isOver(at: received.instant) ?? false
  }

  /// Takes an error of the path; returns whether the burst is over by it.
  mutating func fail(_ part: EchoTokenPart, _ why: PathError, at now: Instant) -> Bool {
    guard part.round == round?.number else { return false }
    round?.fail(part.number, why)
    guard round?.isOver(at: now) ?? false else { return false }
    wake = now
    return true
  }
}

/// Which request of which round of a target.
struct EchoTokenPart: Sendable, Hashable {
  var round: UInt16
  var number: UInt16
}
