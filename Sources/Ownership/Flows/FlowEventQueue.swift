import Model
import Netfilter
import Synchronization
import SystemRuntime

/// What the thread that listens has received and the loop that measures has not yet taken. Bounded.
final class FlowEventQueue: Sendable {
  /// What was received since the last take.
  struct Batch: Sendable {
    /// Entries that were made.
    var created: [FlowIdentity] = []
    /// Entries that ended, with their final counters.
    var ended: [Flow] = []
    /// Whose flows these were, where that was seen.
    var earlyOwners: [EarlyOwner] = []
    /// What the processes that were seen run, as far as that could be read.
    var descriptions: [ProcessIdentity: ProcessDescription] = [:]
    /// Processes that run another program now.
    var renamed: [ProcessIdentity] = []
    /// How often something was lost: by the kernel, or here for want of room.
    var losses: UInt64 = 0
    /// Messages and attributes that could not be understood.
    var malformed: UInt64 = 0
    /// What did not go as it should in looking whose flows are, since start.
    var witness = EarlyAttribution.Condition()
    /// Early owners, descriptions and renamed processes that there was no room for here.
    var surplus: UInt64 = 0
    /// How many bytes of text the descriptions that were appended hold.
    private(set) var text = 0
    /// Why the thread ended, if it did.
    var failure: KernelError?

    /// True when some flow was made or has ended.
    var hasFlows: Bool { !created.isEmpty || !ended.isEmpty }

    /// True when there is nothing in it.
    var isEmpty: Bool {
      !hasFlows && earlyOwners.isEmpty && renamed.isEmpty && descriptions.isEmpty
    }

    /// Adds whose an end of a flow is, and what that process runs.
    mutating func add(_ earlyOwner: EarlyOwner, _ description: ProcessDescription?) {
      earlyOwners.append(earlyOwner)
      if let description { descriptions[earlyOwner.process] = description }
    }

    /// Adds what was received later, as far as there is room; returns for how many events of flows there was none.
    @discardableResult mutating func append(_ later: Batch) -> UInt64 {
      let room = max(0, FlowEventQueue.capacity - created.count - ended.count)
      let count = later.ended.count + later.created.count
      let fitting = max(0, room - later.ended.count)
      created += later.created.prefix(fitting)
      // Whoever reads counters must know the numbers of what lives; no more live than that.
      created += later.created.dropFirst(fitting).filter { $0.generation != 0 }
        .prefix(max(0, FlowEventQueue.capacity + FlowGenerations.capacity - created.count))
      ended += later.ended.prefix(room)
      let lost = UInt64(max(0, count - room))
      losses += later.losses + lost
      malformed += later.malformed
      witness = later.witness
      surplus += later.surplus
      Self.fill(&earlyOwners, with: later.earlyOwners, &surplus)
      Self.fill(&renamed, with: later.renamed, &surplus)
      for (process, description) in later.descriptions {
        let size = description.byteCount
        // A process that is described again and again holds its latest description only.
        let before = descriptions[process]?.byteCount
        let rest = text - (before ?? 0)
        if before != nil || descriptions.count < FlowEventQueue.capacity, rest + size <= FlowEventQueue.text {
          text = rest + size
          descriptions[process] = description
        } else {
          surplus += 1
        }
      }
      return lost
    }

    private static func fill<Piece>(_ all: inout [Piece], with later: [Piece], _ surplus: inout UInt64) {
      let fitting = later.prefix(max(0, FlowEventQueue.capacity - all.count))
      all += fitting
      surplus += UInt64(later.count - fitting.count)
    }
  }

  /// The most events that wait to be taken: a minute of 5,000 new flows a second. They are far smaller
  /// than the entries of a table that holds as many.
  static let capacity = 300_000
  /// The most bytes of text of descriptions that wait: any user may start programs with long command lines.
  static let text = 16 << 20

  private let batch = Mutex(Batch())
  private let questions = Atomic<UInt64>(0)
  private let answers = Atomic<UInt64>(0)
  private let resting = Atomic<Bool>(false)
  private let looking: Atomic<Bool>

  /// Makes one of a thread that looks up the owners of new flows where `looks` says so.
  init(looks: Bool = true) { looking = Atomic(looks) }

  /// Whether the thread that listens looks up the owners of new flows.
  var looks: Bool {
    get { looking.load(ordering: .relaxed) }
    set { looking.store(newValue, ordering: .relaxed) }
  }

  /// Asks the thread that listens to write all that was reported until now; returns the number of this question.
  func ask() -> UInt64 { questions.add(1, ordering: .sequentiallyConsistent).newValue }

  /// The number of the last question.
  var asked: UInt64 { questions.load(ordering: .sequentiallyConsistent) }

  /// The number of the last question that was answered.
  var answered: UInt64 { answers.load(ordering: .sequentiallyConsistent) }

  /// Says that all is written that had been reported before this question.
  func answer(_ question: UInt64) { answers.store(question, ordering: .sequentiallyConsistent) }

  /// True while the thread that listens only waits for events: all that it has read is written here.
  var isResting: Bool {
    get { resting.load(ordering: .sequentiallyConsistent) }
    set { resting.store(newValue, ordering: .sequentiallyConsistent) }
  }

  /// Lets `body` add to what waits.
  func write(_ body: (inout Batch) -> Void) { batch.withLock { body(&$0) } }

  /// Takes all that waits.
  func take() -> Batch {
    batch.withLock { batch in
      defer {
        let (witness, failure) = (batch.witness, batch.failure)
        batch = Batch()
        (batch.witness, batch.failure) = (witness, failure)
      }
      return batch
    }
  }
}
