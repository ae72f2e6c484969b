import Glibc
import Model
import SystemPackage

/// What the listening thread owns and does.
final class FlowEar {
  /// How many datagrams are read between two writes to the log.
  private static let stretch = 256
  /// Above this much of the buffer nothing is looked at any more: hearing comes first.
  private static let hurry = 0.05

  private var events: ConntrackEvents
  private var witness: FlowWitness
  private var watchdog = ReliabilityWatchdog()
  private let log: FlowLog
  private let stopper: Waker

  init(
    _ events: consuming ConntrackEvents, _ witness: consuming FlowWitness, _ log: FlowLog, _ stopper: Waker
  ) {
    self.events = events
    self.witness = witness
    self.log = log
    self.stopper = stopper
  }

  /// Listens until the stopper wakes it, or it cannot.
  func listen() {
    var thread = PromptThread()
    while true {
      if let processor = witness.takeProcessor() { thread.follow(processor) }
      var waits = [stopper.descriptor, events.descriptor, witness.newsDescriptor ?? -1].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      // In bounds: the array and its count.
      guard unsafe poll(&waits, nfds_t(waits.count), pause) >= 0 || errno == EINTR else {
        let error = Errno(rawValue: errno)
        return log.write { $0.failure = .failed("waiting for news of the connection table", error) }
      }
      if waits[0].revents != 0 { return }
      thread.yield(at: .now)
      do throws(KernelError) { try attend(&thread) } catch {
        log.write { $0.failure = error }
        return
      }
    }
  }

  /// How long nothing is due, in milliseconds; -1 when only news can bring something.
  private var pause: CInt {
    let now = ContinuousClock.now
    guard let due = witness.due(at: now) else { return -1 }
    return CInt(max(0, ((due - now).inSeconds * 1000).rounded(.up)))
  }

  private func attend(_ thread: inout PromptThread) throws(KernelError) {
    let fill = events.fill
    let wanted = watchdog.isReliable(fill: fill, at: .now)
    var heard = FlowLog.Batch()
    if wanted != events.isReliable {
      events.setReliable(wanted)
      // Of a NEW that did not fit until now the kernel has said nothing.
      if !wanted { heard.losses += 1 }
    }
    var seen: [(Sighting, ProcessDescription?)] = []
    var placed: [ProcessDescription] = []
    let receipt = try events.receive(limit: Self.stretch) { event in
      heard.add(event)
      guard case .new(let flow) = event else { return }
      guard fill < Self.hurry else { return witness.passOver(flow) }
      witness.see(flow, at: .now) {
        seen.append(($0, $1))
      } breathe: {
        thread.yield(at: .now)
      }
    }
    let descriptor = events.descriptor
    if receipt.isDrained {
      witness.idle(at: .now) {
        seen.append(($0, $1))
      } isUrgent: {
        Self.isReadable(descriptor)
      } breathe: {
        thread.yield(at: .now)
      }
      placed = witness.readPlaces()
    }
    heard.losses += receipt.hasLost ? 1 : 0
    heard.malformed += receipt.malformed
    for (sighting, description) in seen { heard.add(sighting, description) }
    for description in placed { heard.descriptions[description.identity] = description }
    heard.renamed = witness.takeRenamed()
    heard.witness = witness.condition
    log.write { $0.append(heard) }
  }

  private static func isReadable(_ descriptor: CInt) -> Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // In bounds: one structure.
    return unsafe poll(&wait, 1, 0) > 0
  }
}
