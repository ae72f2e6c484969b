import Model
import SystemRuntime

/// Decides which record is posted when, and when to give up. Time is an argument.
///
/// While the server takes records, several are under way. After a failure that may pass one alone is tried at a time, after a
/// pause that doubles: the one that failed least often, of these the oldest, as the failure may be one record's own.
///
/// A record that fails again though another was delivered meanwhile waits by itself, and stops no others. After several such
/// failures it is given back.
struct PostSchedule: Sendable {
  /// How long is waited.
  struct Limits: Sendable, Hashable {
    /// The pause after the first failure.
    var first = Duration.milliseconds(100)
    /// The longest pause.
    var longest = Duration.seconds(5)
    /// How often a record fails while others are delivered until it is given back.
    var strikes = 8
    /// How long an outage may last; nil for ever.
    var patience: Duration? = .seconds(60)
    /// Whether a server that was never reached is waited for.
    var waitsForFirst = true
  }

  /// What is to be reported.
  enum Action: Sendable, Hashable {
    case delivered(UInt64)
    case refused(UInt64, RecordFailure)
    case notice(String)
    case failed(RecordFailure)
  }

  /// A time without success.
  private struct Outage: Sendable {
    let since: Instant
    var pauses: BackOff
    var notBefore: Instant
  }

  /// What a record that is not delivered yet has met with.
  private struct Trouble: Sendable {
    /// How often the server did not take it.
    var failures = 0
    /// How many records had been delivered at the last of these.
    var delivered: Int?
    /// How many of these were its own: another was delivered since the one before.
    var strikes = 0
    var pauses: BackOff
    var notBefore: Instant?
  }

  private let limits: Limits
  private let untroubled: Trouble
  private let places: Int
  /// Those that wait, in order.
  private var waiting: [UInt64] = []
  /// Those under way, and how often outages had begun, gone on or ended when they began.
  private var running: [UInt64: Int] = [:]
  private var turns = 0
  private var outage: Outage?
  /// Those that have failed, until they are delivered or given back.
  private var troubles: [UInt64: Trouble] = [:]
  private var delivered = 0
  private var hasReached = false

  /// Makes an empty one, of which `places` records are under way at most.
  init(limits: Limits, places: Int) {
    self.limits = limits
    untroubled = Trouble(pauses: BackOff(first: limits.first, longest: limits.longest))
    self.places = max(1, places)
  }

  /// Takes a record.
  mutating func add(_ number: UInt64) { insert(number) }

  private var hasPlace: Bool { running.count < (outage == nil ? places : 1) }

  /// Returns the next to post; nil when none is due.
  mutating func start(at now: Instant) -> UInt64? {
    guard hasPlace, now >= outage?.notBefore ?? now, let place = nextPlace(at: now) else { return nil }
    let number = waiting.remove(at: place)
    running[number] = turns
    return number
  }

  private func nextPlace(at now: Instant) -> Int? {
    let isReady = { (place: Int) in now >= troubles[waiting[place]]?.notBefore ?? now }
    guard outage != nil else { return waiting.indices.first(where: isReady) }
    return waiting.indices.filter(isReady).min { (rank($0), $0) < (rank($1), $1) }
  }

  private func rank(_ place: Int) -> Int { troubles[waiting[place]]?.failures ?? 0 }

  /// When the next is due; nil when that depends on something else, or one can be started already.
  var due: Instant? {
    guard !waiting.isEmpty, hasPlace else { return nil }
    let pauses = waiting.map { troubles[$0]?.notBefore }
    let own = pauses.contains(nil) ? nil : pauses.compactMap { $0 }.min()
    guard let outage else { return own }
    return max(outage.notBefore, own ?? outage.notBefore)
  }

  /// Takes how posting a record ended.
  mutating func finish(_ number: UInt64, _ verdict: HTTPVerdict, at now: Instant) -> [Action] {
    guard let began = running.removeValue(forKey: number) else { return [] }
    switch verdict {
    case .delivered:
      delivered += 1
      troubles[number] = nil
      recover()
      return [.delivered(number)]
    case .refused(let failure):
      troubles[number] = nil
      recover()
      return [.refused(number, failure)]
    case .ended(let failure): return [.failed(failure)]
    case .again(let why, let wish):
      hasReached = true
      return strike(number, began, why, wish, now)
    case .busy(let why, let wish):
      hasReached = true
      if let wish {
        var trouble = troubles[number] ?? untroubled
        trouble.notBefore = now + wish
        troubles[number] = trouble
      }
      return fail(number, began, why, wish, now)
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

  /// Takes a failure that may be the record's own: it is where another was delivered since the last one, and no outage began.
  private mutating func strike(
    _ number: UInt64, _ began: Int, _ why: String, _ wish: Duration?, _ now: Instant
  ) -> [Action] {
    var trouble = troubles[number] ?? untroubled
    let isOwn = outage == nil && delivered > trouble.delivered ?? delivered
    trouble.failures += 1
    trouble.delivered = delivered
    trouble.notBefore = wish.map { now + $0 }
    guard isOwn else {
      if trouble.strikes > 0, let patience = limits.patience, let outage, now - outage.since >= patience {
        // The server took others after it had not taken this one, and there are no more of them.
        troubles[number] = nil
        recover()
        return [.refused(number, Self.givenBack(why))]
      }
      troubles[number] = trouble
      return fail(number, began, why, wish, now)
    }
    trouble.strikes += 1
    guard trouble.strikes < limits.strikes else {
      troubles[number] = nil
      return [.refused(number, Self.givenBack(why))]
    }
    let pause = trouble.pauses.next()
    trouble.notBefore = now + max(wish ?? pause, pause)
    troubles[number] = trouble
    insert(number)
    return []
  }

  private mutating func fail(
    _ number: UInt64, _ began: Int, _ why: String, _ wish: Duration?, _ now: Instant
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

  private static func givenBack(_ why: String) -> RecordFailure {
    RecordFailure(
      .later,
      "\(why): the server takes other messages and not this one: see its log for why, and have it take this one."
    )
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
