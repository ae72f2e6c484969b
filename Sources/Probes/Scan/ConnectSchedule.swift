import Model

/// The attempts to connect to a port of one target, one after the other. Does no I/O.
struct ConnectSchedule: Sendable {
  /// An attempt that is over, and when it began.
  struct Finished: Sendable, Hashable {
    var began: Timestamp
    var connection: ProbeResult.Connection
  }

  private let settings: ProbeJob.Connect
  private var clock: RoundClock
  private var began: Timestamp?
  private var answer: ProbeResult.Connection?
  private var deadline: ContinuousClock.Instant?

  /// The number of the attempt that runs, to tell its answer from those of attempts before.
  var number: UInt16 { clock.number }

  /// Begins the first attempt at `start`.
  init(_ settings: ProbeJob.Connect, start: ContinuousClock.Instant) {
    self.settings = settings
    clock = RoundClock(settings.interval, start: start)
  }

  /// When `advance` is to be called next; nil when nothing is left to do.
  var wake: ContinuousClock.Instant? { began == nil ? clock.nextStart : deadline }

  /// Begins no attempt any more; the one that runs goes on.
  mutating func finish() { clock.finish() }

  /// An attempt ends by itself in its time; this ends one that does not.
  private static let grace = Duration.seconds(5)

  /// Does what is due: calls `connect` for an attempt that is to begin within its time, and returns one that is over.
  mutating func advance(
    at now: ContinuousClock.Instant, _ time: Timestamp, connect: (UInt16, Duration) -> Void
  ) -> Finished? {
    if began == nil, clock.begins(at: now) {
      (began, answer) = (time, nil)
      deadline = now + settings.timeout + Self.grace
      connect(settings.port, settings.timeout)
    }
    guard let start = began, answer != nil || deadline.map({ now >= $0 }) ?? false else { return nil }
    began = nil
    return Finished(began: start, connection: answer ?? .failed("no answer in time"))
  }

  /// Takes what came of the attempt of this number; returns whether it is the one that runs.
  mutating func answer(_ connection: ProbeResult.Connection, of number: UInt16) -> Bool {
    guard began != nil, number == self.number else { return false }
    answer = connection
    return true
  }
}
