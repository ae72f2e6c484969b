import Model

/// A limit that all connections of one direction of a pipe share: a token bucket, and a queue in which they take
/// turns with small grants, so that each gets the same. Does no I/O.
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
  }

  /// How often workers look for grants, at least.
  static let tick = Duration.milliseconds(5)
  /// The bucket holds what flows in this time, so that a late tick loses nothing and a burst stays short.
  private static let depth = 0.05
  private static let largestGrant = 1 << 20
  /// About a segment: below it the cost of a byte rises.
  private static let usualGrant = 1448.0

  /// Bytes per second; nil for no limit.
  private(set) var rate: Double?

  private var tokens = 0.0
  private var last: ContinuousClock.Instant?
  private var queue: [Ticket] = []
  private var head = 0
  // By worker.
  private var granted: [[Grant]] = []

  /// Makes a shaper of `rate` bytes per second, or without a limit.
  init(rate: Double?) { self.rate = rate }

  /// How many wait.
  var waiting: Int { queue.count - head }

  /// Puts `ticket` at the end of the queue.
  mutating func request(_ ticket: Ticket, at now: ContinuousClock.Instant) {
    if queue.isEmpty { refill(at: now) }
    queue.append(ticket)
  }

  /// Hands out what has flowed into the bucket until `now`, and returns what is for `worker`.
  mutating func grants(for worker: Int, at now: ContinuousClock.Instant) -> [Grant] {
    refill(at: now)
    distribute()
    guard worker < granted.count else { return [] }
    defer { granted[worker].removeAll(keepingCapacity: true) }
    return granted[worker]
  }

  /// Takes back what a grant's owner found no use for.
  mutating func giveBack(_ bytes: Int) {
    guard let rate else { return }
    tokens = min(tokens + Double(bytes), capacity(rate))
  }

  /// Takes another limit, which holds from `now` on.
  mutating func setRate(_ rate: Double?, at now: ContinuousClock.Instant) {
    refill(at: now)
    self.rate = rate
    tokens = rate.map { min(tokens, capacity($0)) } ?? 0
  }

  private mutating func refill(at now: ContinuousClock.Instant) {
    defer { last = now }
    guard let rate, let last, now > last else { return }
    tokens = min(tokens + rate * (now - last).inSeconds, capacity(rate))
  }

  private mutating func distribute() {
    while head < queue.count {
      var bytes = Self.largestGrant
      if let rate {
        bytes = grantSize(rate)
        guard tokens >= Double(bytes) else { break }
        tokens -= Double(bytes)
      }
      let ticket = queue[head]
      head += 1
      while granted.count <= ticket.worker { granted.append([]) }
      granted[ticket.worker].append(Grant(ticket: ticket, bytes: bytes))
    }
    if head == queue.count || head > 1024 {
      queue.removeFirst(head)
      head = 0
    }
  }

  /// What flows in a tick, divided among those who wait; not much less than a segment, unless that were a twentieth
  /// of a second's worth.
  private func grantSize(_ rate: Double) -> Int {
    let share = rate * Self.tick.inSeconds / Double(max(waiting, 1))
    let least = max(1, min(Self.usualGrant, rate * Self.depth))
    return Int(min(max(share, least), Double(Self.largestGrant)))
  }

  private func capacity(_ rate: Double) -> Double { max(1, rate * Self.depth) }
}
