import Model

/// Ends of flows to look at again: a server's socket exists only after the handshake and the accept, it may be handed to
/// a child then, and a search through all processes must wait until nothing more urgent is left. Bounded.
struct LookupRetries {
  /// An end of a flow that has no owner yet.
  struct Retry {
    var flow: Flow
    var isClient: Bool
    /// How often it was looked at.
    var attempts: Int
    var due: Instant
    /// Who was seen with its socket already, and may hand that on; nil for an end without an owner yet.
    var seen: Seen?
  }

  /// Whose a socket was.
  struct Seen {
    var holding: OwnerFinder.Holding
    var inode: UInt64
    var hasAddress: Bool
    /// The place in the order of starts of the process that was the newest then.
    var turn: UInt64
  }

  /// The waits before each look; then the measuring loop's own look must do.
  static let delays: [Duration] = [
    .milliseconds(1), .milliseconds(4), .milliseconds(16), .milliseconds(64), .milliseconds(256),
  ]
  /// Which of these waits come before the looks at a socket that may be handed on.
  static let handoverLooks = [1, 3, 4]
  /// The most ends that wait; a flood must not be remembered here.
  static let capacity = 4_096

  /// Ends of one number of attempts, which all wait equally long: the first to come is the first due.
  private struct Queue {
    private var retries: [Retry] = []
    // Where those begin that still wait.
    private var start = 0

    var first: Retry? { start < retries.count ? retries[start] : nil }

    mutating func append(_ retry: Retry) { retries.append(retry) }

    mutating func removeFirst() {
      start += 1
      guard start == retries.count || start >= 256 else { return }
      retries.removeFirst(start)
      start = 0
    }
  }

  private var queues = Array(repeating: Queue(), count: delays.count)
  private var count = 0
  /// Ends that there was no room for, since start.
  private(set) var dropped: UInt64 = 0

  /// When the next is due; nil when none waits.
  var next: Instant? { queues.compactMap(\.first?.due).min() }

  /// Notes that an end was looked at `attempts` times without finding its owner.
  mutating func add(_ flow: Flow, isClient: Bool, attempts: Int, at now: Instant) {
    guard attempts < Self.delays.count else { return }
    guard count < Self.capacity else {
      dropped += 1
      return
    }
    count += 1
    queues[attempts].append(
      Retry(flow: flow, isClient: isClient, attempts: attempts, due: now + Self.delays[attempts]))
  }

  /// Notes that a socket may be handed on by who was seen with it: it is looked at `handoverLooks` times, not at those of
  /// a flood.
  mutating func add(_ seen: Seen, of flow: Flow, attempts: Int = 0, at now: Instant) {
    let next = Self.handoverLooks.first { $0 > attempts }
    guard let next, count < Self.capacity / 4 else { return }
    count += 1
    queues[next].append(
      Retry(flow: flow, isClient: false, attempts: next, due: now + Self.delays[next], seen: seen))
  }

  /// Takes one that is due, of several one that was looked at least often: its socket is the youngest. One at a time, so
  /// that what is more urgent can come between two.
  mutating func takeNext(at now: Instant) -> Retry? {
    for index in queues.indices {
      guard let retry = queues[index].first, retry.due <= now else { continue }
      queues[index].removeFirst()
      count -= 1
      return retry
    }
    return nil
  }
}
