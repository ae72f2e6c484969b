/// Records that wait, by their numbers, the oldest first.
struct RecordQueue: Sendable {
  /// What is known of a record here.
  struct Entry: Sendable {
    var number: UInt64
    /// What it uses of the disk.
    var size: Int
    var event: PublishedEvent
  }

  private var entries: [Entry] = []
  /// Those before this place were taken.
  private var head = 0

  /// How many there are.
  var count: Int { entries.count - head }
  /// True where there is none.
  var isEmpty: Bool { count == 0 }
  /// The oldest.
  var first: Entry? { isEmpty ? nil : entries[head] }
  /// The newest.
  var last: Entry? { isEmpty ? nil : entries[entries.count - 1] }

  /// Puts a record into its place.
  mutating func insert(_ entry: Entry) {
    guard let first, let last, entry.number < last.number else { return entries.append(entry) }
    if head > 0, entry.number < first.number {
      head -= 1
      entries[head] = entry
      return
    }
    var (low, high) = (head, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].number < entry.number { low = middle + 1 } else { high = middle }
    }
    entries.insert(entry, at: low)
  }

  /// Puts many into their places.
  mutating func insert(_ others: some Sequence<Entry>) {
    entries = (entries[head...] + others).sorted { $0.number < $1.number }
    head = 0
  }

  /// Takes the oldest.
  mutating func popFirst() -> Entry? {
    guard let first else { return nil }
    head += 1
    if head > 1024, head * 2 > entries.count {
      entries.removeFirst(head)
      head = 0
    }
    return first
  }

  /// Takes the newest.
  mutating func popLast() -> Entry? { isEmpty ? nil : entries.popLast() }

  /// Takes all.
  mutating func takeAll() -> [Entry] {
    defer { self = RecordQueue() }
    return Array(entries[head...])
  }
}
