import Model

/// Decides which record is posted when, and when to give up. Time is an argument.
///
/// While the server takes records, several are under way. After a failure that may pass one alone is tried at a time, the
/// oldest, after a pause that doubles.
struct PostSchedule: Sendable {
  /// How long is waited.
  struct Limits: Sendable, Hashable {
    /// The pause after the first failure.
    var first = Duration.milliseconds(100)
    /// The longest pause.
    var longest = Duration.seconds(5)
    /// How long an outage may last; nil for ever.
    var patience: Duration? = .seconds(60)
    /// Whether a server that was never reached is waited for.
    var waitsForFirst = true

    func pause(after failures: Int) -> Duration { min(first * (1 << min(max(failures - 1, 0), 16)), longest) }
  }

  /// What is to be told.
  enum Action: Sendable, Hashable {
    case delivered(UInt64)
    case refused(UInt64, RecordFailure)
    case notice(String)
    case failed(RecordFailure)
  }

  /// A time without success.
  private struct Outage: Sendable {
    var since: ContinuousClock.Instant
    var failures: Int
    var notBefore: ContinuousClock.Instant
  }

  private let limits: Limits
  private let places: Int
  /// Those that wait, in order.
  private var waiting: [UInt64] = []
  /// Those under way, and after how many failures of the outage they began.
  private var running: [UInt64: Int] = [:]
  private var outage: Outage?
  private var hasReached = false

  /// Makes an empty one, of which `places` records are under way at most.
  init(limits: Limits, places: Int) {
    self.limits = limits
    self.places = max(1, places)
  }

  /// Takes a record.
  mutating func add(_ number: UInt64) { insert(number) }

  /// Returns the next to post; nil when none is due.
  mutating func start(at now: ContinuousClock.Instant) -> UInt64? {
    guard !waiting.isEmpty, running.count < (outage == nil ? places : 1), now >= outage?.notBefore ?? now
    else {
      return nil
    }
    let number = waiting.removeFirst()
    running[number] = outage?.failures ?? 0
    return number
  }

  /// When the next is due; nil when that depends on something else.
  var due: ContinuousClock.Instant? {
    guard let outage, !waiting.isEmpty, running.isEmpty else { return nil }
    return outage.notBefore
  }

  /// Takes how posting a record ended.
  mutating func finish(_ number: UInt64, _ verdict: HTTPVerdict, at now: ContinuousClock.Instant) -> [Action]
  {
    guard let epoch = running.removeValue(forKey: number) else { return [] }
    switch verdict {
    case .delivered:
      (outage, hasReached) = (nil, true)
      // What began before counts for no later outage.
      return [.delivered(number)]
    case .refused(let failure):
      // The server is well.
      (outage, hasReached) = (nil, true)
      return [.refused(number, failure)]
    case .ended(let failure): return [.failed(failure)]
    case .again(let why, let pause):
      hasReached = true
      return fail(number, epoch, why, pause, now)
    case .unreachable(let why):
      if !hasReached, !limits.waitsForFirst { return [.failed(Self.later(why))] }
      return fail(number, epoch, why, nil, now)
    }
  }

  private mutating func fail(
    _ number: UInt64, _ epoch: Int, _ why: String, _ wish: Duration?, _ now: ContinuousClock.Instant
  ) -> [Action] {
    insert(number)
    guard var outage else {
      outage = Outage(since: now, failures: 1, notBefore: now + (wish ?? limits.pause(after: 1)))
      let end = limits.patience.map { " for \($0.inWords)" } ?? ""
      return [.notice("\(why). Records wait and are posted again\(end): see that the server is well.")]
    }
    // Those that began together fail together, which is one failure.
    if epoch >= outage.failures {
      outage.failures += 1
      outage.notBefore = now + (wish ?? limits.pause(after: outage.failures))
    } else if let wish {
      outage.notBefore = max(outage.notBefore, now + wish)
    }
    self.outage = outage
    if let patience = limits.patience, now - outage.since >= patience { return [.failed(Self.later(why))] }
    return []
  }

  private static func later(_ why: String) -> RecordFailure {
    RecordFailure(.later, "\(why): see that the server is well, then try again.")
  }

  /// The oldest first, also where a record comes back.
  private mutating func insert(_ number: UInt64) {
    var place = waiting.endIndex
    while place > 0, waiting[place - 1] > number { place -= 1 }
    waiting.insert(number, at: place)
  }
}

extension Duration {
  fileprivate var inWords: String {
    let (seconds, attoseconds) = components
    return attoseconds == 0 ? "\(seconds) s" : "\(Double(seconds) + Double(attoseconds) * 1e-18) s"
  }
}
