import Model

/// The messages that were published on a channel and are not confirmed: which record each delivery tag stands for.
struct ConfirmWindow: Sendable {
  /// A record, and the number that it was submitted with.
  struct Entry: Sendable, Hashable {
    /// What names it in reports.
    var number: UInt64
    /// What is published.
    var record: Record
  }

  /// What a confirmation was for.
  struct Confirmation: Sendable {
    /// The records that the broker has, in the order of their tags.
    var delivered: [Entry] = []
    /// Those that no queue wanted, and what the broker said: they were returned before they were acknowledged.
    var unroutable: [(entry: Entry, reason: String)] = []
  }

  private var entries: [UInt64: Entry] = [:]
  /// What the broker said, by the ids of what came back.
  private var returned: [String: String] = [:]
  /// No tag below is under way.
  private var oldest: UInt64 = 1
  private var next: UInt64 = 1

  /// How many are under way.
  var count: Int { entries.count }

  /// Takes note that a record is published next; returns its tag. Tags are counted from 1 on each channel.
  @discardableResult mutating func publish(_ entry: Entry) -> UInt64 {
    defer { next += 1 }
    entries[next] = entry
    return next
  }

  /// Takes note that a message with this id came back, which is before its acknowledgement.
  mutating func noteReturn(of id: String, _ reason: String) { returned[id] = reason }

  /// Takes an acknowledgement of a tag, with `multiple` also of all before it (0: of all). Tags that are not under way are
  /// passed over.
  mutating func acknowledge(_ tag: UInt64, multiple: Bool) -> Confirmation {
    var confirmation = Confirmation()
    for entry in take(tag, multiple) {
      if let reason = returned.removeValue(forKey: entry.record.id) {
        confirmation.unroutable.append((entry, reason))
      } else {
        confirmation.delivered.append(entry)
      }
    }
    return confirmation
  }

  /// Takes a negative acknowledgement; returns what the broker does not have.
  mutating func refuse(_ tag: UInt64, multiple: Bool) -> [Entry] {
    let refused = take(tag, multiple)
    for entry in refused { returned[entry.record.id] = nil }
    return refused
  }

  /// Takes out the longest record: where the broker has ended the channel as one is too long, this one is too.
  mutating func takeLongest() -> Entry? {
    guard let longest = entries.max(by: { $0.value.record.body.count < $1.value.record.body.count }) else {
      return nil
    }
    return take(longest.key, false).first
  }

  /// Takes note that the channel is no more; returns what is to be published again, in the order of before.
  mutating func disconnect() -> [Entry] {
    defer { self = ConfirmWindow() }
    return entries.sorted { $0.key < $1.key }.map(\.value)
  }

  private mutating func take(_ tag: UInt64, _ multiple: Bool) -> [Entry] {
    guard multiple else {
      defer { forgetTaken() }
      return entries.removeValue(forKey: tag).map { [$0] } ?? []
    }
    let last = tag == 0 ? next - 1 : min(tag, next - 1)
    guard oldest <= last else { return [] }
    defer { oldest = last + 1 }
    return (oldest...last).compactMap { entries.removeValue(forKey: $0) }
  }

  private mutating func forgetTaken() {
    while oldest < next, entries[oldest] == nil { oldest += 1 }
  }
}
