import Glibc
import Model

/// A thread that listens to the connection table, looks at once whose the new flows are, and writes both into a log.
final class FlowListener: Sendable {
  let log: FlowLog
  private let stopper: Waker

  /// Subscribes and starts to listen: from here on no DESTROY is missed. Errors: `notPermitted`, `unsupported`.
  /// With `namespaces` the sockets of other network namespaces are looked at as well.
  init(receiveBuffer: CInt = ConntrackEvents.receiveBuffer, namespaces: Bool = false) throws(KernelError) {
    let log = FlowLog()
    let stopper = try Waker()
    self.log = log
    self.stopper = stopper
    let events = try ConntrackEvents(receiveBuffer: receiveBuffer)
    let witness = try FlowWitness(namespaces: namespaces, at: .now)
    let ear = FlowEar(events, witness, log, stopper)
    try WorkerThread.start("flow-events") { ear.listen() }
  }

  deinit { stopper.wake() }
}
