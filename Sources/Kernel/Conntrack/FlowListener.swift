import Glibc
import Model

/// A thread that listens to the connection table and writes what it hears into a log.
final class FlowListener: Sendable {
  let log: FlowLog
  private let stopper: Waker

  /// How many datagrams are read between two writes to the log.
  private static let stretch = 256

  /// Subscribes and starts to listen: from here on no DESTROY is missed. Errors: `notPermitted`, `unsupported`.
  init() throws(KernelError) {
    let log = FlowLog()
    let stopper = try Waker()
    self.log = log
    self.stopper = stopper
    let events = try ConntrackEvents()
    try WorkerThread.start("flow-events") { [ear = Ear(events, log, stopper)] in ear.listen() }
  }

  deinit { stopper.wake() }

  /// What the thread owns.
  private final class Ear {
    private var events: ConntrackEvents
    private var watchdog = ReliabilityWatchdog()
    private let log: FlowLog
    private let stopper: Waker

    init(_ events: consuming ConntrackEvents, _ log: FlowLog, _ stopper: Waker) {
      self.events = events
      self.log = log
      self.stopper = stopper
    }

    func listen() {
      while true {
        var waits = [
          pollfd(fd: stopper.descriptor, events: Int16(POLLIN), revents: 0),
          pollfd(fd: events.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // In bounds: the array and its count.
        guard unsafe poll(&waits, nfds_t(waits.count), -1) > 0 || errno == EINTR else { return }
        if waits[0].revents != 0 { return }
        do throws(KernelError) { try hear() } catch {
          log.write { $0.failure = error }
          return
        }
      }
    }

    private func hear() throws(KernelError) {
      let wanted = watchdog.isReliable(fill: events.fill, at: .now)
      if wanted != events.isReliable { events.setReliable(wanted) }
      var heard = FlowLog.Batch()
      let receipt = try events.receive(limit: FlowListener.stretch) { heard.add($0) }
      heard.losses += receipt.hasLost ? 1 : 0
      heard.malformed += receipt.malformed
      log.write { $0.append(heard) }
    }
  }
}

extension FlowLog.Batch {
  /// Adds what was heard later, as far as there is room.
  mutating func append(_ later: FlowLog.Batch) {
    let room = max(0, FlowLog.capacity - created.count - ended.count)
    let news = later.ended.count + later.created.count
    ended += later.ended.prefix(room)
    created += later.created.prefix(max(0, room - later.ended.count))
    losses += later.losses + UInt64(max(0, news - room))
    malformed += later.malformed
  }
}
