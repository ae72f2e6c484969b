import SystemRuntime

import Model

/// A limit that all connections of one direction of a pipe share: a token bucket, and a queue in which they take
/// turns with small grants. Does no I/O.
///
/// Who was granted least comes first (start-time fair queueing), so that each gets the same, whatever the order in
/// which workers ask.
struct Shaper: Sendable {
  /// Who waits for a grant: a half connection of a worker.
  struct Ticket: Sendable, Hashable {
    /// The worker's index.
    var worker: Int
    /// What the worker knows it by.
    var token: UInt64
  }

  /// How much one ticket may move.
  struct Grant: Sendable, Hashable {
    /// Who.
    var ticket: Ticket
    /// How many bytes.
    var bytes: Int
    /// What the owner brings with its next request.
    var turn: Double
    /// Under which limit: void under another.
    var epoch: UInt64
  }

  private struct Waiting: Sendable, Comparable {
    var turn: Double
    // Of equals, who came first.
    var arrival: UInt64
    var ticket: Ticket

    static func < (left: Waiting, right: Waiting) -> Bool {
      (left.turn, left.arrival) < (right.turn, right.arrival)
    }
  }

  /// How often workers look for grants, at least.
  static let tick = Duration.milliseconds(5)
  /// A worker that has not looked for so long gets nothing until it does: what it holds unused would come on top of
  /// what the others move meanwhile.
  private static let patience = Duration.milliseconds(10)
  /// The bucket holds what flows in this time, so that a late tick loses nothing and a burst stays short.
  private static let depth = 0.05
  private static let largestGrant = 64 << 20
  /// About a segment: below it the cost of a byte rises.
  private static let usualGrant = 1448.0

  /// Bytes per second; nil for no limit.
  private(set) var rate: Double?
  /// Counts the limits: what was granted in another epoch is void.
  private(set) var epoch: UInt64 = 0

  private var tokens = 0.0
  private var last: Instant?
  // Also has tickets that were taken back; `tickets` has not.
  private var queue = PriorityQueue<Waiting>()
  private var tickets: Set<Ticket> = []
  private var arrivals: UInt64 = 0
  // The turn that was served last: who comes new or was silent starts there.
  private var turn = 0.0
  // By worker.
  private var granted: [[Grant]] = []
  private var looked: [Instant] = []

  /// Makes a shaper of `rate` bytes per second, or without a limit.
  init(rate: Double?) { self.rate = rate }

  /// How many wait.
  var waiting: Int { tickets.count }

  /// Puts `ticket` into the queue, with the turn that came with its last grant.
  mutating func request(_ ticket: Ticket, turn: Double = 0, at now: Instant) {
    if tickets.isEmpty { refill(at: now) }
    note(ticket.worker, at: now)
    arrivals += 1
    tickets.insert(ticket)
    queue.insert(Waiting(turn: max(turn, self.turn), arrival: arrivals, ticket: ticket))
  }

  /// Takes back the ticket of one that has gone, so that those behind it do not wait for its turn. Returns whether it
  /// stood in the queue: else its grant has been handed out.
  mutating func cancel(_ ticket: Ticket) -> Bool {
    guard tickets.remove(ticket) != nil else { return false }
    // Each is looked at once or twice in all, and most that are left wait.
    if queue.count > 2 * tickets.count + 16 { queue.keep { tickets.contains($0.ticket) } }
    return true
  }

  /// Hands out what has flowed into the bucket until `now`, and returns what is for `worker`.
  mutating func grants(for worker: Int, at now: Instant) -> [Grant] {
    refill(at: now)
    note(worker, at: now)
    distribute(at: now)
    defer { granted[worker].removeAll(keepingCapacity: true) }
    return granted[worker]
  }

  /// Takes back what a grant's owner found no use for.
  mutating func giveBack(_ bytes: Int) {
    guard let rate else { return }
    tokens = min(tokens + Double(bytes), capacity(rate))
  }

  /// Takes another limit, which holds from `now` on, also for what was granted before.
  mutating func setRate(_ rate: Double?, at now: Instant) {
    guard rate != self.rate else { return }
    epoch += 1
    refill(at: now)
    self.rate = rate
    tokens = rate.map { min(tokens, capacity($0)) } ?? 0
  }

  private mutating func refill(at now: Instant) {
    defer { last = now }
    guard let rate, let last, now > last else { return }
    tokens = min(tokens + rate * (now - last).inSeconds, capacity(rate))
  }

  private mutating func note(_ worker: Int, at now: Instant) {
    while looked.count <= worker {
      looked.append(now)
      granted.append([])
    }
    looked[worker] = now
  }

  private mutating func distribute(at now: Instant) {
    // The same for all of this turn, however many are left in it.
    let bytes = rate.map(grantSize) ?? Self.largestGrant
    var passed: [Waiting] = []
    defer { for waiting in passed { queue.insert(waiting) } }
    while let next = queue.first {
      guard tickets.contains(next.ticket) else {
        _ = queue.popFirst()
        continue
      }
      if now - looked[next.ticket.worker] > Self.patience {
        passed.append(next)
        _ = queue.popFirst()
        continue
      }
      if rate != nil {
        guard tokens >= Double(bytes) else { break }
        tokens -= Double(bytes)
      }
      _ = queue.popFirst()
      tickets.remove(next.ticket)
      turn = next.turn
      granted[next.ticket.worker].append(
        Grant(ticket: next.ticket, bytes: bytes, turn: next.turn + Double(bytes), epoch: epoch))
    }
  }

  /// What flows in a tick, divided among those who wait; not much less than a segment, unless the bucket does not
  /// hold that much.
  private func grantSize(_ rate: Double) -> Int {
    let share = rate * Self.tick.inSeconds / Double(max(waiting, 1))
    let least = max(1, min(Self.usualGrant, rate * Self.depth))
    return Int(min(max(share, least), Double(Self.largestGrant)))
  }

  private func capacity(_ rate: Double) -> Double { max(1, rate * Self.depth) }
}
