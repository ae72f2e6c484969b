import Model
import Synchronization

/// One direction of a pipe, which all its connections share.
final class DirectionLimiter: Sendable {
  /// Which one.
  let direction: Direction

  private let shaper: Mutex<Shaper>
  // Read before each transfer, so that only limited pipes pay for the lock.
  private let limited: Atomic<Bool>
  private let currentEpoch = Atomic<UInt64>(0)

  init(_ direction: Direction, limit: Rate?) {
    self.direction = direction
    shaper = Mutex(Shaper(rate: limit?.bytesPerSecond))
    limited = Atomic(limit != nil)
  }

  /// Whether grants are needed.
  var isLimited: Bool { limited.load(ordering: .relaxed) }

  /// The epoch of the limit: a grant of another is void.
  var epoch: UInt64 { currentEpoch.load(ordering: .relaxed) }

  /// Takes another limit, at once for all connections.
  func setLimit(_ limit: Rate?, at now: Instant) {
    let epoch = shaper.withLock { shaper in
      shaper.setRate(limit?.bytesPerSecond, at: now)
      return shaper.epoch
    }
    currentEpoch.store(epoch, ordering: .relaxed)
    limited.store(limit != nil, ordering: .relaxed)
  }

  /// Puts a half connection into the queue.
  func request(_ ticket: Shaper.Ticket, turn: Double, at now: Instant) {
    shaper.withLock { $0.request(ticket, turn: turn, at: now) }
  }

  /// Takes a half connection out of the queue; false when its grant has been handed out.
  func cancel(_ ticket: Shaper.Ticket) -> Bool { shaper.withLock { $0.cancel(ticket) } }

  /// The grants that are due to `worker`.
  func grants(for worker: Int, at now: Instant) -> [Shaper.Grant] {
    shaper.withLock { $0.grants(for: worker, at: now) }
  }

  /// Takes back what was granted and not used.
  func giveBack(_ bytes: Int) {
    if bytes > 0 { shaper.withLock { $0.giveBack(bytes) } }
  }
}
