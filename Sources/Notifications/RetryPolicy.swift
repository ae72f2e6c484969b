import Model
import SystemPackage

/// Which deliveries are tried again, and after which pauses.
///
/// Only what has not begun is, or what another host did not take: nobody gets the same thing twice.
struct RetryPolicy: Sendable {
  /// What has not begun: six attempts within eight seconds. What the system lacks for longer is worth a warning. What
  /// another host did not take: until it does, at last once an hour.
  static let standard = RetryPolicy(
    pauses: [.milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(4)],
    longPauses: (0..<8).map { .seconds(min(30 << $0, 3600)) })

  /// The pauses before the second attempt, the third and so on; there are no more attempts.
  let pauses: [Duration]
  /// The same where another host did not take it; the last one is repeated.
  var longPauses: [Duration] = []

  /// The pause before another attempt, after so many; nil when `outcome` is final.
  func pause(after outcome: DeliveryOutcome, attempts: Int) -> Duration? {
    switch outcome {
    case .notBegun: pauses.indices.contains(attempts - 1) ? pauses[attempts - 1] : nil
    case .notTaken: longPauses.isEmpty ? nil : longPauses[min(max(0, attempts - 1), longPauses.count - 1)]
    case .succeeded, .failed, .abandoned: nil
    }
  }

  /// True for an error that says what the system lacks now and may have soon: processes, memory, descriptors
  /// (fork(2), pipe(2)), or a program that nobody writes to (execve(2)).
  static func isPassing(_ error: Errno) -> Bool {
    let passing: Set<Errno> = [
      .resourceTemporarilyUnavailable, .noMemory, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .textFileBusy,
    ]
    return passing.contains(error)
  }
}

/// The deliveries that wait for another attempt, one of each rule and kind, and the timers that end their pauses. Time is an
/// argument.
///
/// A timer cannot be stopped, and a reload ends pauses early. So one is started only for a pause that ends before all timers
/// that run: there are never more than different pauses.
struct Retries: Sendable {
  private let policy: RetryPolicy
  private var paused: [DeliveryKey: (pending: PendingDelivery, until: Instant)] = [:]
  /// When the timers that run end.
  private(set) var timers: [Instant] = []
  private var isOpen = true

  /// Makes an empty one.
  init(_ policy: RetryPolicy) { self.policy = policy }

  /// Takes a delivery whose attempt ended with `outcome`; false where there is no other attempt.
  mutating func pause(
    _ pending: PendingDelivery, after outcome: DeliveryOutcome, at now: Instant
  ) -> Bool {
    var pending = pending
    pending.attempts += 1
    guard isOpen, let pause = policy.pause(after: outcome, attempts: pending.attempts) else { return false }
    paused[pending.key] = (pending, now + pause)
    return true
  }

  /// All that waits.
  var held: [PendingDelivery] { paused.values.map(\.pending) }

  /// Takes a delivery whose pause began in an earlier run.
  mutating func restore(_ pending: PendingDelivery, until: Instant) {
    paused[pending.key] = (pending, until)
  }

  /// When a timer is to end that is to be started now; nil where those that run are enough.
  mutating func startTimer() -> Instant? {
    guard let due = paused.values.map(\.until).min(), timers.allSatisfy({ due < $0 }) else { return nil }
    timers.append(due)
    return due
  }

  /// Returns the deliveries whose pauses are over when this timer ends.
  mutating func end(timer: Instant) -> [PendingDelivery] {
    timers.removeAll { $0 == timer }
    let due = paused.values.filter { $0.until <= timer }.map(\.pending).sorted { $0.key < $1.key }
    for pending in due { paused[pending.key] = nil }
    return due
  }

  /// Ends all pauses, and returns what waited.
  mutating func takeAll() -> [PendingDelivery] {
    defer { paused = [:] }
    return paused.values.map(\.pending).sorted { $0.key < $1.key }
  }

  /// Ends all pauses, and returns what waited: it has one attempt more. There are no pauses from now on.
  mutating func close() -> [PendingDelivery] {
    isOpen = false
    return takeAll()
  }
}
