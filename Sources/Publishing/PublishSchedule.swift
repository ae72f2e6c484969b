import Model
import SystemRuntime

/// Decides which records are under way, which are done and which have to go. Records are known by their numbers, which grow. Time
/// is an argument.
///
/// A record that is not taken while others are is set aside, where it holds no place and stops no other. What is set aside for a
/// while is tried again one of a kind at a time, after pauses that double; each of the kind that arrives lets two more be tried.
///
/// A record that is refused for what it says is left out if that happens twice with another taken between: while none is taken it
/// is not the records. Where it is not known which record was refused, records go one at a time until it is.
struct PublishSchedule: Sendable {
  typealias Entry = RecordQueue.Entry

  /// Those of one kind that are set aside for a while.
  private struct Aside: Sendable {
    var records = RecordQueue()
    /// Those until one of them is tried again.
    var pauses = BackOff(first: PublishSchedule.firstPause, longest: PublishSchedule.longestPause)
    var retryAt: Instant

    /// For one that was refused now.
    init(at now: Instant) { retryAt = now + pauses.next() }
  }

  /// Each record is a file, and a folder with more of them is slow to read.
  static let mostEntries = 50_000
  private static let firstPause = Duration.seconds(1)
  /// The longest until one that was set aside is tried again.
  static let longestPause = Duration.seconds(60)

  private var window: Int
  private var limit: Int
  /// Those that are tried as soon as there is a place.
  private var waiting = RecordQueue()
  /// Those that the sink has; the size is zero for one that was dropped since.
  private var submitted: [UInt64: Entry] = [:]
  private var aside: [PublishedEvent: Aside] = [:]
  private var used = 0
  /// Refused since another was taken; they are not tried before one is.
  private var suspects = RecordQueue()
  /// Refused once, and another was taken since.
  private var tried: Set<UInt64> = []
  /// One at a time until a later one than this is due.
  private var carefulUntil: UInt64?

  /// Makes an empty one for `window` records under way and `limit` bytes in all.
  init(window: Int, limit: Int) { (self.window, self.limit) = (max(1, window), limit) }

  /// How many wait or are under way.
  var count: Int { countSetAside + waiting.count + submitted.count { $0.value.size > 0 } }
  /// How many others went past.
  var countSetAside: Int { suspects.count + aside.values.reduce(0) { $0 + $1.records.count } }
  /// The bytes of all.
  var bytes: Int { used }
  /// True when nothing is left to do for now.
  var isIdle: Bool { waiting.isEmpty && submitted.allSatisfy { $0.value.size == 0 } }

  /// When one that was set aside is due; nil where that depends on something else.
  var due: Instant? { hasPlace ? aside.values.map(\.retryAt).min() : nil }

  private var hasPlace: Bool { submitted.count < (carefulUntil == nil ? window : 1) }

  /// Takes a record of `size` bytes, more than zero; returns those that have to go for it, oldest first.
  mutating func add(_ number: UInt64, _ event: PublishedEvent, size: Int) -> [UInt64] {
    waiting.insert(Entry(number: number, size: size, event: event))
    used += size
    return makeRoom()
  }

  /// Takes the last record back, which has not been started.
  mutating func withdraw(_ number: UInt64) {
    guard waiting.last?.number == number, let last = waiting.popLast() else { return }
    used -= last.size
  }

  /// Has other bounds from now on; returns what has to go.
  mutating func use(window: Int, limit: Int) -> [UInt64] {
    (self.window, self.limit) = (max(1, window), limit)
    return makeRoom()
  }

  /// Returns a record for the sink; nil while it has enough, or none waits that is to be tried now.
  mutating func start(at now: Instant) -> UInt64? {
    guard hasPlace else { return nil }
    if let entry = takeAside(at: now) {
      submitted[entry.number] = entry
      return entry.number
    }
    guard let entry = waiting.popFirst() else { return nil }
    if let last = carefulUntil, entry.number > last, suspects.isEmpty, tried.isEmpty { carefulUntil = nil }
    submitted[entry.number] = entry
    return entry.number
  }

  /// Takes note that a record has arrived, or cannot be read; true when its file is to be removed.
  mutating func finish(_ number: UInt64, isDelivered: Bool = true) -> Bool {
    guard let entry = submitted.removeValue(forKey: number) else { return false }
    used -= entry.size
    tried.remove(number)
    if isDelivered {
      tried.formUnion(forgiveSuspects())
      release(2, of: entry.event)
    }
    return entry.size > 0
  }

  /// Takes note that a record was not taken while the sink goes on; true when it is to be left out.
  mutating func refuse(
    _ number: UInt64, _ kind: RecordFailure.Kind, at now: Instant
  ) -> Bool {
    guard let entry = submitted[number] else { return false }
    if kind == .data, tried.contains(number) { return finish(number, isDelivered: false) }
    submitted[number] = nil
    guard entry.size > 0 else { return false }
    if kind == .data {
      suspects.insert(entry)
    } else {
      aside[entry.event, default: Aside(at: now)].records.insert(entry)
    }
    return false
  }

  /// Takes note that the sink has ended: what it had waits again. Returns the record that is to be left out, if that is known.
  mutating func fail(_ kind: RecordFailure.Kind) -> UInt64? {
    var refused: UInt64?
    if kind == .data, let number = submitted.keys.max() {
      if carefulUntil == nil {
        carefulUntil = number
      } else if tried.contains(number) {
        refused = finish(number, isDelivered: false) ? number : nil
      } else if let entry = submitted.removeValue(forKey: number), entry.size > 0 {
        suspects.insert(entry)
      }
    }
    waiting.insert(submitted.values.filter { $0.size > 0 })
    submitted = [:]
    return refused
  }

  /// Has all be tried again that was refused: the sink is another one.
  mutating func forgive() {
    _ = forgiveSuspects()
    waiting.insert(
      aside.values.flatMap { aside in
        var records = aside.records
        return records.takeAll()
      })
    (aside, tried, carefulUntil) = ([:], [], nil)
  }

  private mutating func forgiveSuspects() -> [UInt64] {
    guard !suspects.isEmpty else { return [] }
    let entries = suspects.takeAll()
    waiting.insert(entries)
    return entries.map(\.number)
  }

  /// Takes one that was set aside and is due.
  private mutating func takeAside(at now: Instant) -> Entry? {
    guard let event = aside.first(where: { $0.value.retryAt <= now })?.key, var group = aside[event] else {
      return nil
    }
    let entry = group.records.popFirst()
    group.retryAt = now + group.pauses.next()
    // The last one's group stays: its pause goes on to double.
    aside[event] = entry == nil ? nil : group
    return entry
  }

  /// Lets so many of a kind be tried again, as one of it has arrived.
  private mutating func release(_ count: Int, of event: PublishedEvent) {
    guard var group = aside.removeValue(forKey: event) else { return }
    for _ in 0..<count { if let entry = group.records.popFirst() { waiting.insert(entry) } }
    guard !group.records.isEmpty else { return }
    group.pauses.reset()
    aside[event] = group
  }

  private mutating func makeRoom() -> [UInt64] {
    var dropped: [UInt64] = []
    while used > limit || count > Self.mostEntries, let entry = takeOldest() {
      dropped.append(entry.number)
      tried.remove(entry.number)
      used -= entry.size
    }
    return dropped
  }

  /// Takes the oldest that the sink does not have, else of those that it has: it may yet bring that, but the disk has it no longer.
  private mutating func takeOldest() -> Entry? {
    var place: (number: UInt64, event: PublishedEvent?, isSuspect: Bool)?
    if let first = waiting.first { place = (first.number, nil, false) }
    if let first = suspects.first, first.number < place?.number ?? .max { place = (first.number, nil, true) }
    for (event, group) in aside {
      if let first = group.records.first, first.number < place?.number ?? .max {
        place = (first.number, event, false)
      }
    }
    guard let place else {
      guard let oldest = submitted.values.filter({ $0.size > 0 }).min(by: { $0.number < $1.number }) else {
        return nil
      }
      submitted[oldest.number]?.size = 0
      return oldest
    }
    if place.isSuspect { return suspects.popFirst() }
    if let event = place.event { return aside[event]?.records.popFirst() }
    return waiting.popFirst()
  }
}
