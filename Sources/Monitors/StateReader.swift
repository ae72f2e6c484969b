import Model
import Netfilter

/// What the kernel says of its connection table, read again when it may have changed: that costs files, and it rarely
/// does.
struct StateReader {
  /// What it said last.
  private(set) var state = ConntrackState()
  /// Connections that got no place in the table, or lost it, since the first reading.
  private(set) var lost: UInt64 = 0

  private let read: () -> ConntrackState
  private var readAt: Instant?
  private var lostBefore: UInt64?
  private var uncounted = 0

  /// How long it is believed.
  private static let life = Duration.seconds(10)

  /// Reads with `read`; nothing is read yet.
  init(_ read: @escaping () -> ConntrackState) { self.read = read }

  /// Takes how many connections have no counters at `now`. Where they are more than before accounting may have been
  /// turned off, and while it is off it may be turned on at any time: then its four files are read at each call.
  mutating func update(uncounted: Int, at now: Instant) {
    let isBelieved = readAt.map { now - $0 < Self.life } ?? false
    if !isBelieved || uncounted > self.uncounted || state.isAccounting == false {
      state = read()
      readAt = now
      if let all = state.lost {
        let before = lostBefore ?? all
        lostBefore = before
        lost = max(lost, all > before ? all - before : 0)
      }
    }
    self.uncounted = uncounted
  }

  /// Believes nothing any more: the next update reads.
  mutating func refresh() { readAt = nil }
}
