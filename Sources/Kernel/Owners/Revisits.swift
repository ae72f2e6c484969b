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

  /// Ends of one number of attempts, which all wait equally long: the first to come is the first due.
  private struct Queue {
    private var visits: [Visit] = []
    // Where those begin that still wait.
    private var start = 0

    var first: Visit? { start < visits.count ? visits[start] : nil }

    mutating func append(_ visit: Visit) { visits.append(visit) }

    mutating func removeFirst() {
      start += 1
      guard start == visits.count || start >= 256 else { return }
      visits.removeFirst(start)
      start = 0
    }
  }

  private var queues = Array(repeating: Queue(), count: delays.count)
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

  /// Takes one that is due, of several one that was looked at least often: its socket is the youngest. One at a time, so
  /// that what is more urgent can come between two.
  mutating func takeNext(at now: ContinuousClock.Instant) -> Visit? {
    for index in queues.indices {
      guard let visit = queues[index].first, visit.due <= now else { continue }
      queues[index].removeFirst()
      count -= 1
      return visit
    }
    return nil
  }
}
