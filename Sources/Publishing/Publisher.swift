public import Model
import Synchronization
public import SystemRuntime

/// Publishes texts at least once, over failures of the network, of the other side and of this program.
///
/// A thread of its own writes each to a folder before it is sent, and removes it when the other side has it. Who submits never waits: what
/// there is no room for is counted.
public final class Publisher: Sendable {
  /// Makes the way to the other side; what comes of the records is reported to the function that it is given.
  public typealias MakeSink =
    @Sendable (_ report: @escaping @Sendable (RecordOutcome) -> Void) throws(RecordFailure) -> any RecordSink

  /// The most bytes that wait for the disk.
  static let mostWaiting = 16 << 20
  /// What each text counts beside its length.
  private static let overhead = 1024

  let inbox: Inbox<PublishLoop.Event>
  private let counters = PublishCounters()
  private let isOver: Waker

  /// Starts the thread. Records wait in the folder `spool`, which is made, or in memory where that is nil. `host` stands in their
  /// routing keys; `warn` is called with what to say. Errors: no thread or descriptor was to be had.
  public init(
    _ configuration: PublishConfiguration, spool: String?, host: String, makeSink: @escaping MakeSink,
    warn: @escaping @Sendable (Warning) -> Void
  ) throws(KernelError) {
    let (inbox, isOver) = (try Inbox<PublishLoop.Event>(), try Waker())
    (self.inbox, self.isOver) = (inbox, isOver)
    let counters = counters
    try WorkerThread.start("publish") {
      var loop = PublishLoop(configuration, host: host, makeSink, inbox, counters, warn)
      loop.run(spool: spool)
      isOver.wake()
    }
  }

  deinit { inbox.post(.finish(within: .zero)) }

  /// Takes the text of an event, and returns at once. False, and counted, when so many wait for the disk that it is not taken.
  @discardableResult
  public func submit(_ event: PublishedEvent, time: Timestamp, _ text: [UInt8]) -> Bool {
    let size = text.count + Self.overhead
    let waiting = counters.waiting.add(size, ordering: .relaxed).newValue
    guard waiting <= Self.mostWaiting || waiting == size else {
      counters.waiting.subtract(size, ordering: .relaxed)
      // No event, which would take room as well.
      counters.notTaken.add(1, ordering: .relaxed)
      inbox.waker.wake()
      return false
    }
    inbox.post(.submitted(event, time.seconds, text, size: size))
    return true
  }

  /// Publishes as `configuration` says from now on, by another sink; records wait in the same folder.
  public func use(_ configuration: PublishConfiguration, makeSink: @escaping MakeSink) {
    inbox.post(.use(configuration, makeSink))
  }

  /// How many records were submitted that will never arrive.
  public var dropped: UInt64 {
    counters.dropped.load(ordering: .relaxed) + counters.notTaken.load(ordering: .relaxed)
  }

  /// Ends; what was submitted has so long to arrive, and stays in the folder otherwise. Returns when that is so. To be called once.
  public func finish(within duration: Duration) {
    inbox.post(.finish(within: duration))
    // The disk may be slow as well.
    isOver.wait(timeout: duration + .seconds(5))
  }
}

/// What callers and the thread count together.
final class PublishCounters: Sendable {
  /// Bytes that wait to be taken.
  let waiting = Atomic<Int>(0)
  /// Records that were taken and will never arrive.
  let dropped = Atomic<UInt64>(0)
  /// Records that were not taken, as so many waited for the disk.
  let notTaken = Atomic<UInt64>(0)
}
