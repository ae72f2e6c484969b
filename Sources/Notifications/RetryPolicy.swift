import SystemPackage

/// Which deliveries are tried again, and after which pauses.
///
/// Only what has not begun is, or what another host did not take: nobody gets the same thing twice.
struct RetryPolicy: Sendable {
  /// What has not begun: six attempts within eight seconds. What the system lacks for longer is worth a warning. What
  /// another host did not take: nine attempts within three hours.
  static let standard = RetryPolicy(
    pauses: [.milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(4)],
    longPauses: (0..<8).map { .seconds(min(30 << $0, 3600)) })

  /// The pauses before the second attempt, the third and so on; there are no more attempts.
  let pauses: [Duration]
  /// The same where another host did not take it.
  var longPauses: [Duration] = []

  /// The pause before another attempt, after so many; nil when `outcome` is final.
  func pause(after outcome: DeliveryOutcome, attempts: Int) -> Duration? {
    switch outcome {
    case .notBegun: pauses.indices.contains(attempts - 1) ? pauses[attempts - 1] : nil
    case .notTaken: longPauses.indices.contains(attempts - 1) ? longPauses[attempts - 1] : nil
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

/// The deliveries that wait for another attempt, one of each rule and kind.
struct Retries: Sendable {
  private let policy: RetryPolicy
  private var paused: [DeliveryKey: PendingDelivery] = [:]
  private var isOpen = true

  /// Makes an empty one.
  init(_ policy: RetryPolicy) { self.policy = policy }

  /// Takes a delivery whose attempt ended with `outcome`; returns the pause before its next, nil if there is none.
  mutating func pause(_ pending: PendingDelivery, after outcome: DeliveryOutcome) -> Duration? {
    var pending = pending
    pending.attempts += 1
    guard isOpen, let pause = policy.pause(after: outcome, attempts: pending.attempts) else { return nil }
    paused[pending.key] = pending
    return pause
  }

  /// Returns the delivery of `key` whose pause is over, unless it was returned already; one that pauses since a later
  /// reload than `generation` goes on.
  mutating func resume(_ key: DeliveryKey, generation: Int = 0) -> PendingDelivery? {
    paused[key]?.generation == generation ? paused.removeValue(forKey: key) : nil
  }

  /// Ends all pauses, and returns what waited.
  mutating func takeAll() -> [PendingDelivery] {
    defer { paused = [:] }
    return paused.values.sorted { $0.key < $1.key }
  }

  /// Ends all pauses, and returns what waited: it has one attempt more. There are no pauses from now on.
  mutating func close() -> [PendingDelivery] {
    isOpen = false
    return takeAll()
  }
}
