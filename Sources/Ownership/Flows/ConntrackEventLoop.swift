import Glibc
import Model
import Netfilter
import SystemRuntime
import SystemPackage

/// What the listening thread owns and does.
final class ConntrackEventLoop {
  /// How often is read between two writes to the queue, a few datagrams at a time.
  private static let stretch = 16
  /// How many milliseconds an event may wait where nobody is looked at: each waking takes a processor from the host.
  private static let rest: CInt = 20
  /// After so many of them without an end there is too much to receive.
  private static let stretches = 1_024
  /// How long new flows are looked at, and what can wait is put off, before something else has its turn.
  private static let turn = Duration.milliseconds(5)
  /// How long one that asks for what was reported waits at most for new flows to be looked at.
  private static let mostDelay = Duration.milliseconds(100)
  /// Above this much of the buffer nothing is looked at any more: receiving comes first.
  private static let hurry = 0.05

  private var events: ConntrackEvents
  private var witness: EarlyAttribution
  private var watchdog = ReliabilityWatchdog()
  private let queue: FlowEventQueue
  private let stopper: Waker
  private let asker: Waker
  private let answerer: Waker
  private var generations: FlowGenerations
  private var reported = DestroyDeduplicator()
  private var unseen = PendingLookups()
  private var lookedAgain = Instant.now

  /// It looks up the owners of new flows while `queue` says so. `stopper` ends it. `asker` has it write all that was reported
  /// until then, and `answerer` says that it has. The entries of `living` have their numbers from another one before.
  init(
    _ events: consuming ConntrackEvents, _ witness: consuming EarlyAttribution, _ queue: FlowEventQueue,
    living: LaterFlows, stopper: Waker, asker: Waker, answerer: Waker
  ) {
    generations = FlowGenerations(after: living)
    self.events = events
    self.witness = witness
    self.queue = queue
    self.stopper = stopper
    self.asker = asker
    self.answerer = answerer
  }

  /// Says by `answerer` that it has its priority, and listens until the stopper wakes it, or it cannot.
  func listen() {
    var thread = RealTimeThread()
    answerer.wake()
    var rests = false
    while true {
      // A negative one is passed over.
      let sources = rests ? [-1, -1] : [events.descriptor, witness.processEventDescriptor ?? -1]
      let due = due
      // Once reliability was given up it comes back only while somebody asks.
      queue.isResting = due < 0 && events.isReliable
      let isReadable: [Bool]
      do throws(Errno) {
        isReadable = try Readable.wait(
          for: [stopper.descriptor, asker.descriptor] + sources, timeout: rests ? Self.rest : due)
      } catch {
        return fail(.failed("waiting for events of the connection table", error))
      }
      queue.isResting = false
      if isReadable[0] { return }
      if rests, !isReadable[1] {
        rests = false
        continue
      }
      rests = !queue.looks
      do throws(KernelError) {
        if isReadable[1] {
          try answer(&thread)
        } else {
          thread.yield(at: .now)
          let isCaughtUp = try receiveEvents() && lookAtUnseen(&thread)
          if isCaughtUp || .now - lookedAgain > Self.turn { lookAgain(&thread) }
        }
      } catch {
        return fail(error)
      }
    }
  }

  private func fail(_ error: KernelError) {
    queue.write { $0.failure = error }
    queue.answer(.max)
    answerer.wake()
  }

  /// Writes what was reported before the question, and the owners of the new flows as far as there is time. No answer
  /// if more comes than can be read.
  private func answer(_ thread: inout RealTimeThread) throws(KernelError) {
    asker.reset()
    let question = queue.asked
    let end = Instant.now + Self.mostDelay
    for _ in 0..<Self.stretches {
      thread.yield(at: .now)
      guard try receiveEvents(), lookAtUnseen(&thread) || .now >= end else { continue }
      generations.rotate(at: .now)
      queue.answer(question)
      answerer.wake()
      return lookAgain(&thread)
    }
  }

  /// How long nothing is due, in milliseconds; -1 when only an event can bring something.
  private var due: CInt {
    if !unseen.isEmpty || witness.hasUnplaced { return 0 }
    let now = Instant.now
    guard let due = witness.due(at: now) else { return -1 }
    return CInt(max(0, ((due - now).inSeconds * 1000).rounded(.up)))
  }

  /// Reads what has come; returns whether nothing more waits.
  private func receiveEvents() throws(KernelError) -> Bool {
    let now = Instant.now
    let fill = events.fill
    let wanted = watchdog.isReliable(fill: fill, at: now)
    var received = FlowEventQueue.Batch()
    if wanted != events.isReliable {
      events.setReliable(wanted)
      // Of a NEW that did not fit until now the kernel has said nothing.
      if !wanted { received.losses += 1 }
    }
    let receipt = try events.receive(limit: Self.stretch) { event in
      switch event {
      case .new(var flow):
        reported.note(made: flow)
        generations.number(made: &flow)
        received.created.append(flow.identity)
        guard queue.looks else { return }
        if fill < Self.hurry { unseen.add(flow, at: now) } else { witness.passOver(flow) }
      case .destroyed(var flow):
        if reported.isRepeated(flow) { return }
        generations.number(ended: &flow)
        received.ended.append(flow)
      }
    }
    received.losses += receipt.hasLost ? 1 : 0
    received.malformed += receipt.malformed
    for flow in unseen.takeOverdue(at: now) { witness.passOver(flow) }
    received.witness = condition
    queue.write { $0.append(received) }
    return receipt.isDrained
  }

  /// Looks up the owners of new flows, the newest first, until more comes or somebody asks; returns whether all were
  /// looked up.
  private func lookAtUnseen(_ thread: inout RealTimeThread) -> Bool {
    if unseen.isEmpty { return true }
    var received = FlowEventQueue.Batch()
    let urgent = [events.descriptor, asker.descriptor, stopper.descriptor]
    let end = Instant.now + Self.turn
    while .now < end, let flow = unseen.takeNewest() {
      // Its ends may be another's by now.
      if generations.isOver(flow.identity) {
        witness.passOver(flow)
        continue
      }
      witness.see(flow, at: .now) {
        received.add($0, $1)
      } isUrgent: {
        urgent.contains(where: Readable.isNow)
      } breathe: {
        thread.yield(at: .now)
      }
      if urgent.contains(where: Readable.isNow) { break }
    }
    received.witness = condition
    queue.write { $0.append(received) }
    return unseen.isEmpty && !Readable.isNow(events.descriptor)
  }

  /// Does what can wait until nothing more urgent is left.
  private func lookAgain(_ thread: inout RealTimeThread) {
    lookedAgain = .now
    var received = FlowEventQueue.Batch()
    let urgent = [events.descriptor, asker.descriptor, stopper.descriptor]
    witness.idle(at: .now) {
      received.add($0, $1)
    } isOver: {
      generations.isOver($0)
    } isUrgent: {
      urgent.contains(where: Readable.isNow)
    } breathe: {
      thread.yield(at: .now)
    }
    for description in witness.readPlaces() { received.descriptions[description.identity] = description }
    received.renamed = witness.takeRenamed()
    received.witness = condition
    queue.write { $0.append(received) }
  }

  private var condition: EarlyAttribution.Condition {
    var condition = witness.condition
    condition.unseen += generations.overflow
    return condition
  }
}

/// Decides whether the kernel should keep DESTROY events that do not fit the buffer.
///
/// What it keeps it also keeps in the connection table, so that a reader that does not keep up would fill it and
/// the host would refuse connections. Losing events is then the smaller harm: the next dump finds what is gone.
struct ReliabilityWatchdog {
  /// Above this much of the buffer the reader does not keep up.
  static let high = 0.5
  /// Below this it has caught up.
  static let low = 0.05
  /// How long it must have kept up before it is trusted again.
  static let probation = Duration.seconds(10)

  private var fellBehind: Instant?

  /// Takes how full the buffer is when the reader comes to it; returns whether to ask for reliable delivery.
  mutating func isReliable(fill: Double, at now: Instant) -> Bool {
    if fill >= Self.high || (fellBehind != nil && fill > Self.low) { fellBehind = now }
    guard let fellBehind else { return true }
    if now - fellBehind < Self.probation { return false }
    self.fellBehind = nil
    return true
  }
}
