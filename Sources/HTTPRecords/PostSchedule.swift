import Model
import SystemRuntime

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
    let since: ContinuousClock.Instant
    var pauses: BackOff
    var notBefore: ContinuousClock.Instant
  }

  private let limits: Limits
  private let places: Int
  /// Those that wait, in order.
  private var waiting: [UInt64] = []
  /// Those under way, and how often outages had begun, gone on or ended when they began.
  private var running: [UInt64: Int] = [:]
  private var turns = 0
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
    running[number] = turns
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
    guard let began = running.removeValue(forKey: number) else { return [] }
    switch verdict {
    case .delivered:
      recover()
      return [.delivered(number)]
    case .refused(let failure):
      recover()
      return [.refused(number, failure)]
    case .ended(let failure): return [.failed(failure)]
    case .again(let why, let pause):
      hasReached = true
      return fail(number, began, why, pause, now)
    case .unreachable(let why):
      if !hasReached, !limits.waitsForFirst { return [.failed(Self.later(why))] }
      return fail(number, began, why, nil, now)
    }
  }

  /// The server is well.
  private mutating func recover() {
    hasReached = true
    guard outage != nil else { return }
    outage = nil
    turns += 1
  }

  private mutating func fail(
    _ number: UInt64, _ began: Int, _ why: String, _ wish: Duration?, _ now: ContinuousClock.Instant
  ) -> [Action] {
    insert(number)
    // Those that began together fail together, which is one failure.
    let isNew = began == turns
    guard var outage else {
      // What began before the end of an outage begins no other.
      guard isNew else { return [] }
      var pauses = BackOff(first: limits.first, longest: limits.longest)
      let pause = pauses.next()
      outage = Outage(since: now, pauses: pauses, notBefore: now + (wish ?? pause))
      turns += 1
      let end = limits.patience.map { " for \($0.inWords)" } ?? ""
      return [.notice("\(why). Messages wait and are posted again\(end): see that the server is well.")]
    }
    if isNew {
      turns += 1
      let pause = outage.pauses.next()
      outage.notBefore = now + (wish ?? pause)
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
