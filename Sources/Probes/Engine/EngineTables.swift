/// The ICMP sockets by their keys. A dictionary would hash a key for each request and each batch of messages.
struct ChannelTable {
  private var slots: [(key: ChannelKey, channel: EchoChannel)?] = []

  /// All of them.
  var all: some Sequence<(key: ChannelKey, channel: EchoChannel)> { slots.lazy.compactMap(\.self) }

  /// The socket of a kind; nil where there is none.
  subscript(key: ChannelKey) -> EchoChannel? {
    let index = Int(key.index)
    return index < slots.count ? slots[index]?.channel : nil
  }

  /// Adds the socket of a kind.
  mutating func add(_ channel: EchoChannel, _ key: ChannelKey) {
    let missing = Int(key.index) + 1 - slots.count
    if missing > 0 { slots += Array(repeating: nil, count: missing) }
    slots[Int(key.index)] = (key, channel)
  }
}

/// Targets by their numbers. A dictionary would take several times as long, for each message twice.
struct TargetTable {
  private var slots: [ProbedTarget?]

  /// Makes a table. Numbers that follow each other find their places at once.
  init(_ targets: [ProbedTarget] = []) {
    var size = 1
    while size < 2 * targets.count { size *= 2 }
    slots = Array(repeating: nil, count: size)
    for target in targets { slots[slot(of: target.number)] = target }
  }

  /// All of them.
  var all: [ProbedTarget] { slots.compactMap(\.self) }

  /// The target with this number; nil where it is gone.
  subscript(number: UInt32) -> ProbedTarget? { slots[slot(of: number)] }

  /// Where it is, or the empty slot where it would be: half of them or more are empty.
  private func slot(of number: UInt32) -> Int {
    var slot = Int(number) & (slots.count - 1)
    while let other = slots[slot], other.number != number { slot = (slot + 1) & (slots.count - 1) }
    return slot
  }
}
