import Model

/// The attempts to connect to a port of one target, one after the other. Does no I/O.
struct ConnectSchedule: Sendable {
  /// An attempt that is over, and when it began.
  struct Finished: Sendable, Hashable {
    var began: Timestamp
    var connection: ProbeResult.Connection
    /// The port was not asked within its time.
    var isLate: Bool
  }

  private let settings: ProbeJob.Connect
  private var clock: AttemptClock
  private var answer: ProbeResult.Connection?

  /// The number of the attempt that runs, to tell its answer from those of attempts before.
  var number: UInt16 { clock.number }

  /// Begins the first attempt at `start`.
  init(_ settings: ProbeJob.Connect, start: Instant) {
    self.settings = settings
    clock = AttemptClock(settings.interval, timeout: settings.timeout, start: start)
  }

  /// When `advance` is to be called next; nil when nothing is left to do.
  var wake: Instant? { clock.wake }

  /// Begins no attempt any more; the one that runs goes on.
  mutating func finish() { clock.finish() }

  /// Does what is due: calls `connect` for an attempt that is to begin within its time, and returns one that is over.
  mutating func advance(
    at now: Instant, _ time: Timestamp, connect: (UInt16, Duration) -> Void
  ) -> Finished? {
    if clock.begins(at: now, time) {
      answer = nil
      connect(settings.port, settings.timeout)
    }
    guard let start = clock.ends(at: now, isAnswered: answer != nil) else { return nil }
    return Finished(
      began: start, connection: answer ?? .unknown(ServiceShortage.turn.reason), isLate: answer == nil)
  }

  /// Takes what came of the attempt of this number; returns whether it is the one that runs.
  mutating func answer(_ connection: ProbeResult.Connection, of number: UInt16) -> Bool {
    guard clock.runs(number) else { return false }
    answer = connection
    return true
  }
}
