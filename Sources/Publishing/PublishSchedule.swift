import Model

/// Decides which records are under way, which are done and which have to go. Records are known by their numbers, which grow.
///
/// A record that the other side refuses for what it says would stop all others for ever. So after such a failure records go one
/// at a time, and one that is refused twice with another taken between is left out. While none is taken nothing is left out: then it
/// is not the records.
struct PublishSchedule: Sendable {
  private struct Entry: Sendable {
    var number: UInt64
    var size: Int
  }

  /// Each record is a file, and a folder with more of them is slow to read.
  static let mostEntries = 50_000

  private var window: Int
  private var limit: Int
  /// Those that wait, from `head` on, oldest first.
  private var waiting: [Entry] = []
  private var head = 0
  /// Those that the sink has, and their sizes; zero for one that was dropped since.
  private var submitted: [UInt64: Int] = [:]
  private var used = 0
  /// Refused since another was taken; they are not tried before one is.
  private var suspects: Set<UInt64> = []
  /// Refused once, and another was taken since.
  private var tried: Set<UInt64> = []
  /// One at a time until a later one than this is due.
  private var carefulUntil: UInt64?

  /// Makes an empty one for `window` records under way and `limit` bytes in all.
  init(window: Int, limit: Int) { (self.window, self.limit) = (max(1, window), limit) }

  /// How many wait or are under way.
  var count: Int { waiting.count - head + submitted.count { $0.value > 0 } }
  /// The bytes of these.
  var bytes: Int { used }
  /// True when nothing is left to do.
  var isEmpty: Bool { count == 0 }

  /// Takes a record of `size` bytes, more than zero; returns those that have to go for it, oldest first.
  mutating func add(_ number: UInt64, size: Int) -> [UInt64] {
    waiting.append(Entry(number: number, size: size))
    used += size
    return makeRoom()
  }

  /// Takes the last record back, which has not been started.
  mutating func withdraw(_ number: UInt64) {
    guard head < waiting.count, let last = waiting.last, last.number == number else { return }
    used -= last.size
    waiting.removeLast()
  }

  /// Has other bounds from now on; returns what has to go.
  mutating func use(window: Int, limit: Int) -> [UInt64] {
    (self.window, self.limit) = (max(1, window), limit)
    return makeRoom()
  }

  /// Returns a record for the sink; nil while it has enough, or none waits that is to be tried now.
  mutating func start() -> UInt64? {
    guard submitted.count < (carefulUntil == nil ? window : 1) else { return nil }
    guard let place = waiting[head...].firstIndex(where: { !suspects.contains($0.number) }) else {
      return nil
    }
    let entry = waiting[place]
    if let last = carefulUntil, entry.number > last, suspects.isEmpty, tried.isEmpty { carefulUntil = nil }
    if place == head { head += 1 } else { waiting.remove(at: place) }
    if head > 1024, head * 2 > waiting.count {
      waiting.removeFirst(head)
      head = 0
    }
    submitted[entry.number] = entry.size
    return entry.number
  }

  /// Takes note that a record has arrived, or cannot be read; true when its file is to be removed.
  mutating func finish(_ number: UInt64, isDelivered: Bool = true) -> Bool {
    guard let size = submitted.removeValue(forKey: number) else { return false }
    used -= size
    tried.remove(number)
    if isDelivered {
      tried.formUnion(suspects)
      suspects = []
    }
    return size > 0
  }

  /// Takes note that the sink has ended: what it had waits again. Returns the record that is to be left out, if that is known.
  mutating func fail(_ kind: RecordFailure.Kind) -> UInt64? {
    var refused: UInt64?
    if kind == .data, let number = submitted.keys.max() {
      if carefulUntil == nil {
        carefulUntil = number
      } else if tried.remove(number) != nil {
        refused = finish(number, isDelivered: false) ? number : nil
      } else {
        suspects.insert(number)
      }
    }
    let back = submitted.filter { $0.value > 0 }.map { Entry(number: $0.key, size: $0.value) }
    submitted = [:]
    // Those that were passed over are older than some of these.
    waiting = (back + waiting[head...]).sorted { $0.number < $1.number }
    head = 0
    return refused
  }

  /// Has all be tried again that was refused: the sink is another one.
  mutating func forgive() {
    (suspects, tried, carefulUntil) = ([], [], nil)
  }

  private mutating func makeRoom() -> [UInt64] {
    var dropped: [UInt64] = []
    while used > limit || count > Self.mostEntries {
      if head < waiting.count {
        dropped.append(waiting[head].number)
        used -= waiting[head].size
        suspects.remove(waiting[head].number)
        tried.remove(waiting[head].number)
        head += 1
      } else if let oldest = submitted.filter({ $0.value > 0 }).keys.min(), let size = submitted[oldest] {
        // The sink has it, and may yet bring it; the disk has it no longer.
        dropped.append(oldest)
        tried.remove(oldest)
        used -= size
        submitted[oldest] = 0
      } else {
        break
      }
    }
    return dropped
  }
}
