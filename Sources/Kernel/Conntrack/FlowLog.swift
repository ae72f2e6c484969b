import Model
import Synchronization

/// What the thread that listens has heard and the loop that measures has not yet taken. Bounded.
final class FlowLog: Sendable {
  /// An entry that was made.
  struct Creation: Sendable {
    var flow: FlowIdentity
    /// How many of the batch's entries had ended before: the next entry of the same ends may have the same identity.
    var endedBefore = 0
  }

  /// What was heard since the last take.
  struct Batch: Sendable {
    /// Entries that were made.
    var created: [Creation] = []
    /// Entries that ended, with their final counters.
    var ended: [Flow] = []
    /// Whose flows these were, where that was seen.
    var sightings: [Sighting] = []
    /// What the processes that were seen run, as far as that could be read.
    var descriptions: [ProcessIdentity: ProcessDescription] = [:]
    /// Processes that run another program now.
    var renamed: [ProcessIdentity] = []
    /// How often something was lost: by the kernel, or here for want of room.
    var losses: UInt64 = 0
    /// Messages and attributes that could not be understood.
    var malformed: UInt64 = 0
    /// What did not go as it should in looking whose flows are, since start.
    var witness = FlowWitness.Condition()
    /// Why the thread ended, if it did.
    var failure: KernelError?

    /// True when there is no news in it.
    var isEmpty: Bool { created.isEmpty && ended.isEmpty && sightings.isEmpty && renamed.isEmpty }

    /// Adds a piece of news.
    mutating func add(_ event: ConntrackEvents.Event) {
      switch event {
      case .new(let flow): created.append(Creation(flow: flow.identity, endedBefore: ended.count))
      case .destroyed(let flow): ended.append(flow)
      }
    }

    /// Adds whose an end of a flow is, and what that process runs.
    mutating func add(_ sighting: Sighting, _ description: ProcessDescription?) {
      sightings.append(sighting)
      if let description { descriptions[sighting.process] = description }
    }

    /// Adds what was heard later, as far as there is room.
    mutating func append(_ later: Batch) {
      let room = max(0, FlowLog.capacity - created.count - ended.count)
      let news = later.ended.count + later.created.count
      created += later.created.prefix(max(0, room - later.ended.count)).map {
        Creation(flow: $0.flow, endedBefore: ended.count + $0.endedBefore)
      }
      ended += later.ended.prefix(room)
      sightings += later.sightings.prefix(max(0, FlowLog.capacity - sightings.count))
      if descriptions.count < FlowLog.capacity {
        descriptions.merge(later.descriptions) { _, later in later }
      }
      renamed += later.renamed.prefix(max(0, FlowLog.capacity - renamed.count))
      losses += later.losses + UInt64(max(0, news - room))
      malformed += later.malformed
      witness = later.witness
    }
  }

  /// The most pieces of news that wait to be taken: a minute of 5,000 new flows a second. They are far smaller
  /// than the entries of a table that holds as many.
  static let capacity = 300_000

  private let batch = Mutex(Batch())

  /// Lets `body` add to what waits.
  func write(_ body: (inout Batch) -> Void) { batch.withLock { body(&$0) } }

  /// Takes all that waits.
  func take() -> Batch {
    batch.withLock { batch in
      defer { batch = Batch(witness: batch.witness, failure: batch.failure) }
      return batch
    }
  }
}
