public import Model

/// The messages that were published on a channel and are not confirmed: which record each delivery tag stands for.
public struct ConfirmWindow: Sendable {
  /// A record, and the number that it was submitted with.
  public struct Entry: Sendable, Hashable {
    /// What names it in reports.
    public var number: UInt64
    /// What is published.
    public var record: Record

    /// Makes an entry.
    public init(number: UInt64, record: Record) {
      self.number = number
      self.record = record
    }
  }

  /// What a confirmation was for.
  public struct Confirmation: Sendable, Hashable {
    /// The records that the broker has, in the order of their tags.
    public var delivered: [Entry] = []
    /// Those that no queue wanted: they were returned before they were acknowledged.
    public var unroutable: [Entry] = []
  }

  private var entries: [UInt64: Entry] = [:]
  private var returned: Set<String> = []
  /// No tag below is under way.
  private var oldest: UInt64 = 1
  private var next: UInt64 = 1

  /// Makes the window of a channel on which nothing was published.
  public init() {}

  /// How many are under way.
  public var count: Int { entries.count }

  /// Takes note that a record is published next; returns its tag. Tags are counted from 1 on each channel.
  @discardableResult public mutating func publish(_ entry: Entry) -> UInt64 {
    defer { next += 1 }
    entries[next] = entry
    return next
  }

  /// Takes note that a message with this id came back, which is before its acknowledgement.
  public mutating func noteReturn(of id: String) { returned.insert(id) }

  /// Takes an acknowledgement of a tag, with `multiple` also of all before it (0: of all). Tags that are not under way are
  /// passed over.
  public mutating func acknowledge(_ tag: UInt64, multiple: Bool) -> Confirmation {
    var confirmation = Confirmation()
    for entry in take(tag, multiple) {
      if returned.remove(entry.record.id) != nil {
        confirmation.unroutable.append(entry)
      } else {
        confirmation.delivered.append(entry)
      }
    }
    return confirmation
  }

  /// Takes a negative acknowledgement; returns what the broker does not have.
  public mutating func refuse(_ tag: UInt64, multiple: Bool) -> [Entry] {
    let refused = take(tag, multiple)
    for entry in refused { returned.remove(entry.record.id) }
    return refused
  }

  /// Takes note that the channel is no more; returns what is to be published again, in the order of before.
  public mutating func disconnect() -> [Entry] {
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
