import Model
import Synchronization

/// What the thread that listens has heard and the loop that measures has not yet taken. Bounded.
final class FlowLog: Sendable {
  /// What was heard since the last take.
  struct Batch: Sendable {
    /// Entries that were made.
    var created: [Flow] = []
    /// Entries that ended, with their final counters.
    var ended: [Flow] = []
    /// How often something was lost: by the kernel, or here for want of room.
    var losses: UInt64 = 0
    /// Messages and attributes that could not be understood.
    var malformed: UInt64 = 0
    /// Why the thread ended, if it did.
    var failure: KernelError?

    /// Adds a piece of news if there is room for it.
    mutating func add(_ event: ConntrackEvents.Event) {
      guard created.count + ended.count < FlowLog.capacity else {
        losses += 1
        return
      }
      switch event {
      case .new(let flow): created.append(flow)
      case .destroyed(let flow): ended.append(flow)
      }
    }
  }

  /// The most pieces of news that wait to be taken: 130 MB, ten seconds of a flood that no table stands for long.
  static let capacity = 1_000_000

  private let batch = Mutex(Batch())

  /// Lets `body` add to what waits.
  func write(_ body: (inout Batch) -> Void) { batch.withLock { body(&$0) } }

  /// Takes all that waits.
  func take() -> Batch {
    batch.withLock { batch in
      defer { batch = Batch(failure: batch.failure) }
      return batch
    }
  }
}
