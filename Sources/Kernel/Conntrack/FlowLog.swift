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
    /// Whose flows these were, where that was seen.
    var sightings: [Sighting] = []
    /// How often something was lost: by the kernel, or here for want of room.
    var losses: UInt64 = 0
    /// Messages and attributes that could not be understood.
    var malformed: UInt64 = 0
    /// Ends of flows that were not looked at, and processes that were forgotten, for want of room; since start.
    var unseen: UInt64 = 0
    /// Why the thread ended, if it did.
    var failure: KernelError?

    /// Adds a piece of news.
    mutating func add(_ event: ConntrackEvents.Event) {
      switch event {
      case .new(let flow): created.append(flow)
      case .destroyed(let flow): ended.append(flow)
      }
    }

    /// Adds what was heard later, as far as there is room.
    mutating func append(_ later: Batch) {
      let room = max(0, FlowLog.capacity - created.count - ended.count)
      let news = later.ended.count + later.created.count
      ended += later.ended.prefix(room)
      created += later.created.prefix(max(0, room - later.ended.count))
      sightings += later.sightings.prefix(max(0, FlowLog.capacity - sightings.count))
      losses += later.losses + UInt64(max(0, news - room))
      malformed += later.malformed
      unseen = later.unseen
    }
  }

  /// The most pieces of news that wait to be taken: 40 MB, a minute of 5,000 new flows a second.
  static let capacity = 300_000

  private let batch = Mutex(Batch())

  /// Lets `body` add to what waits.
  func write(_ body: (inout Batch) -> Void) { batch.withLock { body(&$0) } }

  /// Takes all that waits.
  func take() -> Batch {
    batch.withLock { batch in
      defer { batch = Batch(unseen: batch.unseen, failure: batch.failure) }
      return batch
    }
  }
}
