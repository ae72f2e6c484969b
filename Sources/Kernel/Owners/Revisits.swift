import Model

/// Ends of flows to look at again: a server's socket exists only after the handshake and the accept, and a search
/// through all processes must wait until nothing more urgent is left. Bounded.
struct Revisits {
  /// An end of a flow that has no owner yet.
  struct Visit {
    var flow: Flow
    var isClient: Bool
    /// How often it was looked at.
    var attempts: Int
    var due: ContinuousClock.Instant
  }

  /// The waits before each look; then the measuring loop's own look must do.
  static let delays: [Duration] = [
    .milliseconds(1), .milliseconds(4), .milliseconds(16), .milliseconds(64), .milliseconds(256),
  ]
  /// The most ends that wait; a flood must not be remembered here.
  static let capacity = 4_096

  // Ordered by due time within each number of attempts, because all of one wait equally long.
  private var queues: [[Visit]] = Array(repeating: [], count: delays.count)
  private var count = 0
  /// Ends that there was no room for, since start.
  private(set) var dropped: UInt64 = 0

  /// When the next is due; nil when none waits.
  var next: ContinuousClock.Instant? { queues.compactMap(\.first?.due).min() }

  /// Notes that an end was looked at `attempts` times without finding its owner.
  mutating func add(_ flow: Flow, isClient: Bool, attempts: Int, at now: ContinuousClock.Instant) {
    guard attempts < Self.delays.count else { return }
    guard count < Self.capacity else {
      dropped += 1
      return
    }
    count += 1
    queues[attempts].append(
      Visit(flow: flow, isClient: isClient, attempts: attempts, due: now + Self.delays[attempts]))
  }

  /// Takes what is due.
  mutating func take(at now: ContinuousClock.Instant) -> [Visit] {
    var due: [Visit] = []
    for index in queues.indices {
      let ready = queues[index].prefix { $0.due <= now }
      due += ready
      queues[index].removeFirst(ready.count)
    }
    count -= due.count
    return due
  }
}
