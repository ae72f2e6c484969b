import Glibc
import Model
import Netfilter
import SystemRuntime

/// A thread that receives the events of the connection table. It looks up the owners of new flows at once, and writes
/// events and owners to a queue.
final class ConntrackEventThread: Sendable {
  /// How long it may take until all that was reported is received.
  static let patience = Duration.seconds(1)

  let queue: FlowEventQueue
  private let stopper: Waker
  private let asker: Waker
  private let answerer: Waker
  /// By which the thread gets the events; it stays the thread's, which has ended when it is closed and then never rests.
  private let eventDescriptor: CInt

  /// Subscribes and starts to listen: from here on no DESTROY is missed. Errors: `notPermitted`, `unsupported`.
  /// With `looks` the owners of new flows are looked up, with `namespaces` in other network namespaces too. The entries
  /// of `living` keep the numbers that a listener before this one gave them.
  init(
    receiveBuffer: CInt = ConntrackEvents.receiveBuffer, namespaces: Bool = false,
    looks: Bool = true, living: LaterFlows = LaterFlows()
  ) throws(KernelError) {
    let queue = FlowEventQueue(looks: looks)
    let (stopper, asker, answerer) = (try Waker(), try Waker(), try Waker())
    self.queue = queue
    (self.stopper, self.asker, self.answerer) = (stopper, asker, answerer)
    let events = try ConntrackEvents(receiveBuffer: receiveBuffer)
    let witness = try EarlyAttribution(namespaces: namespaces, at: .now)
    eventDescriptor = events.descriptor
    let loop = ConntrackEventLoop(
      events, witness, queue, living: living, stopper: stopper, asker: asker, answerer: answerer)
    try WorkerThread.start("flow-events", comesFirst: true) { loop.listen() }
    // It may keep a capability that others give up after this.
    answerer.wait(timeout: Self.patience)
  }

  /// True when all that the kernel has reported until now is in the queue; false where the thread must be asked.
  var hasReceivedAll: Bool {
    // The thread stops resting before it reads, so this order misses nothing.
    !Readable.isNow(eventDescriptor) && queue.isResting
  }

  /// Returns when all that the kernel has reported until now is in the queue; false if that takes longer than
  /// `patience`, which is less by the time that it took.
  func settle(within patience: inout Duration) -> Bool {
    let question = queue.ask()
    asker.wake()
    let end = Instant.now + patience
    defer { patience = max(.zero, end - .now) }
    while queue.answered < question {
      let now = Instant.now
      if now >= end { return false }
      answerer.wait(timeout: end - now)
    }
    return true
  }

  deinit { stopper.wake() }
}
