import Model

/// A notification and the delivery that is to take it.
struct PendingDelivery: Sendable {
  /// What to deliver.
  var notification: Notification
  /// By whom.
  var delivery: any Delivery
  /// How often that was tried.
  var attempts = 0
  /// The name of its file, where what waits is kept on the disk.
  var name = ""
  /// After how many reloads it got its delivery.
  var generation = 0

  var key: DeliveryKey { DeliveryKey(notification.rule, delivery.kind) }

  var rule: String { notification.rule }

  var episode: Notification.Episode { notification.episode }

  /// The episode, as this kind of delivery is notified of it.
  var deliveredEpisode: DeliveredEpisode {
    DeliveredEpisode(kind: delivery.kind, episode: notification.episode)
  }

  /// How much text it has, in bytes.
  var size: Int { notification.facts.reduce(notification.line.utf8.count) { $0 + $1.value.utf8.count } }

  var isRepetition: Bool { notification.stage == .goesOn }

  var isEnd: Bool {
    if case .ended = notification.stage { true } else { false }
  }

  var isBeginning: Bool { notification.stage == .began }
}

/// Decides which delivery may begin: at most a few of each kind at once, so that silent servers hold up no command; never two of one rule and kind, in order of their
/// notifications. One that pauses before another attempt leaves its place to others, but not its turn.
///
/// What waits has a bound. A repetition that waits while a newer one comes says nothing that the newer one does not, so
/// one of them is dropped. When the queue is full, a repetition goes first, then the oldest beginning together with
/// all that waits of it, the crowding rule's before any other's; the end of a beginning that was never delivered is not
/// delivered either: a delivery takes the pair or neither.
struct DeliveryQueue: Sendable {
  /// The most deliveries of a kind that run at once.
  static let defaultPlaces = 4
  /// The most deliveries that wait.
  static let defaultCapacity = 256

  /// How many notifications were not delivered because too many waited.
  private(set) var dropped: UInt64 = 0

  private let places: Int
  private let capacity: Int
  private let mostBytes: Int
  private var waiting: [PendingDelivery] = []
  private var running: [DeliveryKey: PendingDelivery] = [:]
  /// What waits for another attempt.
  private var paused: Set<DeliveryKey> = []
  /// Episodes whose beginning was dropped and of which nothing was started since.
  private var unannounced: Set<DeliveredEpisode> = []
  private static let mostUnannounced = 1024

  /// Makes an empty queue; the bounds of numbers are at least one. `mostBytes` is the most text that waits.
  init(places: Int = Self.defaultPlaces, capacity: Int = Self.defaultCapacity, mostBytes: Int = .max) {
    self.mostBytes = mostBytes
    self.places = max(1, places)
    self.capacity = max(1, capacity)
  }

  /// True when nothing runs, pauses or waits.
  var isIdle: Bool { waiting.isEmpty && running.isEmpty && paused.isEmpty }

  /// All that waits and runs.
  var held: [PendingDelivery] { waiting + running.values }

  /// How many deliveries wait.
  var waitingCount: Int { waiting.count }

  /// How many deliveries run.
  var runningCount: Int { running.count }

  /// The longest that one of those that run and wait may take; zero without any.
  var longestTimeLimit: Duration {
    max(
      running.values.map(\.delivery.timeLimit).max() ?? .zero,
      waiting.map(\.delivery.timeLimit).max() ?? .zero)
  }

  /// Takes a delivery, unless its rule does not want it or another says the same.
  mutating func add(_ pending: PendingDelivery) {
    if isCovered(pending) { return }
    while !waiting.isEmpty, waiting.count >= capacity || isTooMuch(with: pending) {
      makeRoom(for: pending.key)
      if isCovered(pending) { return }
    }
    waiting.append(pending)
  }

  private func isTooMuch(with pending: PendingDelivery) -> Bool {
    mostBytes < .max && waiting.reduce(pending.size) { $0 + $1.size } > mostBytes
  }

  /// Takes what waited in an earlier run, in order; one that `isPaused` waits for another attempt.
  mutating func restore(_ pending: PendingDelivery, isPaused: Bool) {
    if isPaused { paused.insert(pending.key) } else { waiting.append(pending) }
  }

  /// Returns the deliveries to start now; each holds its place until `finish`.
  mutating func start() -> [PendingDelivery] {
    var started = [PendingDelivery]()
    var index = 0
    var free = Dictionary(DeliveryKind.allCases.map { ($0, places) }, uniquingKeysWith: { first, _ in first })
    for key in running.keys { free[key.kind, default: 0] -= 1 }
    while index < waiting.count {
      let key = waiting[index].key
      if free[key.kind, default: 0] > 0, running[key] == nil, !paused.contains(key) {
        free[key.kind, default: 0] -= 1
        let pending = waiting.remove(at: index)
        running[key] = pending
        unannounced.remove(pending.deliveredEpisode)
        started.append(pending)
      } else {
        index += 1
      }
    }
    return started
  }

  /// Frees the place of the delivery of `key`, which has ended and is not tried again.
  mutating func finish(_ key: DeliveryKey) { running[key] = nil }

  /// Frees the place of a delivery that is tried again later; others of its key wait for that.
  mutating func pause(_ key: DeliveryKey) {
    running[key] = nil
    paused.insert(key)
  }

  /// Ends the pause of a delivery: it is the first of its key to start.
  mutating func resume(_ pending: PendingDelivery) {
    guard paused.remove(pending.key) != nil else { return }
    waiting.insert(pending, at: 0)
  }

  /// Gives what waits the deliveries that rules have now. What was never tried keeps its own where the rule has none.
  mutating func use(_ current: CurrentDeliveries) { waiting = waiting.map { current.renewed($0) ?? $0 } }

  /// Drops a delivery that failed and whose rule has none any more. If it is a beginning, the rest of the episode goes too.
  mutating func abandon(_ pending: PendingDelivery) {
    paused.remove(pending.key)
    running[pending.key] = nil
    let before = waiting.count
    if pending.isBeginning { forget(pending.deliveredEpisode) }
    dropped += UInt64(1 + before - waiting.count)
  }

  /// Takes out what is left for the next start: of what waits all that `isLeft` agrees with, and the pause of `key`.
  mutating func leave(
    pauseOf key: DeliveryKey? = nil, where isLeft: (PendingDelivery) -> Bool
  ) -> [PendingDelivery] {
    if let key { paused.remove(key) }
    let left = waiting.filter(isLeft)
    waiting.removeAll(where: isLeft)
    return left
  }

  /// Drops all that waits, and returns how many that were.
  mutating func dropWaiting() -> Int {
    let count = waiting.count
    dropped += UInt64(count)
    waiting = []
    return count
  }

  /// True for what need not be delivered; counted when it would have been had there been less to do.
  private mutating func isCovered(_ pending: PendingDelivery) -> Bool {
    let episode = pending.deliveredEpisode
    if pending.isEnd {
      let isUnknown = unannounced.contains(episode) && !waiting.contains { $0.deliveredEpisode == episode }
      if isUnknown { unannounced.remove(episode) }
      if isUnknown, pending.delivery.deliversEnds { dropped += 1 }
      return isUnknown || !pending.delivery.deliversEnds
    }
    guard pending.isRepetition,
      let index = waiting.lastIndex(where: { $0.deliveredEpisode == episode && !$0.isEnd })
    else { return false }
    if waiting[index].isRepetition { waiting[index] = pending }
    dropped += 1
    return true
  }

  private mutating func makeRoom(for key: DeliveryKey) {
    let victim =
      waiting.firstIndex { $0.key == key && $0.isRepetition }
      ?? waiting.firstIndex { $0.key == key && !$0.isEnd }
      ?? waiting.firstIndex { $0.isRepetition }
      ?? waiting.firstIndex { !$0.isEnd }
      ?? waiting.startIndex
    let pending = waiting[victim]
    let before = waiting.count
    if pending.isBeginning || pending.isRepetition && unannounced.contains(pending.deliveredEpisode) {
      forget(pending.deliveredEpisode)
    } else {
      waiting.remove(at: victim)
    }
    dropped += UInt64(before - waiting.count)
  }

  /// Takes out all that waits of an episode of which nothing was delivered.
  private mutating func forget(_ episode: DeliveredEpisode) {
    let isOver = waiting.contains { $0.deliveredEpisode == episode && $0.isEnd }
    waiting.removeAll { $0.deliveredEpisode == episode }
    if isOver {
      unannounced.remove(episode)
    } else if unannounced.count < Self.mostUnannounced {
      unannounced.insert(episode)
    }
  }
}
