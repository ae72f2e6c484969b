import Model

/// When the attempts of one probe begin and end, one after the other, and which answers belong to the one that runs. Does no I/O.
struct AttemptClock: Sendable {
  /// How long a question may wait for a place where many are asked: as long as it may take then, and five seconds at least.
  static func patience(for timeout: Duration) -> Duration { max(.seconds(5), timeout) }

  private var rounds: RoundClock
  private let timeout: Duration
  private var began: Timestamp?
  private var deadline: Instant?

  /// The number of the attempt that runs, to tell its answers from those of attempts before.
  var number: UInt16 { rounds.number }

  /// Has the first attempt begin at `start`, and one each `interval`, each of which ends within `timeout`.
  init(_ interval: Duration?, timeout: Duration, start: Instant) {
    rounds = RoundClock(interval, start: start)
    self.timeout = timeout
  }

  /// When something is due next; nil when nothing is left to do.
  var wake: Instant? { began == nil ? rounds.nextStart : deadline }

  /// Begins no attempt any more; the one that runs goes on.
  mutating func finish() { rounds.finish() }

  /// Begins an attempt if one is due and none runs.
  mutating func begins(at now: Instant, _ time: Timestamp) -> Bool {
    guard began == nil, rounds.begins(at: now) else { return false }
    began = time
    // An attempt ends by itself in its time; this ends one that does not.
    deadline = now + timeout + Self.patience(for: timeout)
    return true
  }

  /// Whether the attempt of this number runs.
  func runs(_ number: UInt16) -> Bool { began != nil && number == self.number }

  /// Ends the attempt that runs where it is answered or out of time; returns when it began, or nil.
  mutating func ends(at now: Instant, isAnswered: Bool) -> Timestamp? {
    guard let start = began, isAnswered || deadline.map({ now >= $0 }) ?? false else { return nil }
    began = nil
    return start
  }
}
