import Glibc
import Model
import SystemPackage

/// What the listening thread owns and does.
final class FlowEar {
  /// How often is read between two writes to the log, a few datagrams at a time.
  private static let stretch = 16
  /// How many milliseconds what is told may wait where nobody is looked at: each waking takes a processor from the host.
  private static let rest: CInt = 20
  /// After so many of them without an end there is too much to hear.
  private static let stretches = 1_024
  /// How long new flows are looked at, and what can wait is put off, before something else has its turn.
  private static let turn = Duration.milliseconds(5)
  /// How long who asks what was told waits at most for new flows to be looked at.
  private static let mostDelay = Duration.milliseconds(100)
  /// Above this much of the buffer nothing is looked at any more: hearing comes first.
  private static let hurry = 0.05

  private var events: ConntrackEvents
  private var witness: FlowWitness
  private var watchdog = ReliabilityWatchdog()
  private let log: FlowLog
  private let looks: Bool
  private let stopper: Waker
  private let asker: Waker
  private let answerer: Waker
  private var generations: FlowGenerations
  private var told = ToldEnds()
  private var unseen = UnseenFlows()
  private var lookedAgain = ContinuousClock.now

  /// With `looks` it looks up the owners of new flows. `stopper` ends it. `asker` has it write all that was told until
  /// then, and `answerer` says that it has. The entries of `living` have their numbers from another one before.
  init(
    _ events: consuming ConntrackEvents, _ witness: consuming FlowWitness, _ log: FlowLog, looks: Bool,
    living: LaterFlows, stopper: Waker, asker: Waker, answerer: Waker
  ) {
    generations = FlowGenerations(after: living)
    self.events = events
    self.witness = witness
    self.log = log
    self.looks = looks
    self.stopper = stopper
    self.asker = asker
    self.answerer = answerer
  }

  /// Says by `answerer` that it has its priority, and listens until the stopper wakes it, or it cannot.
  func listen() {
    var thread = PromptThread()
    answerer.wake()
    var rests = false
    while true {
      if let processor = witness.takeProcessor(), looks { thread.follow(processor) }
      // A negative one is passed over (poll(2)).
      let news = rests ? [-1, -1] : [events.descriptor, witness.newsDescriptor ?? -1]
      var waits = ([stopper.descriptor, asker.descriptor] + news).map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      let due = due
      // Once reliability was given up it comes back only while somebody asks.
      log.isResting = due < 0 && events.isReliable
      // In bounds: the array and its count.
      let count = unsafe poll(&waits, nfds_t(waits.count), rests ? Self.rest : due)
      log.isResting = false
      guard count >= 0 || errno == EINTR else {
        return fail(.failed("waiting for news of the connection table", Errno(rawValue: errno)))
      }
      if waits[0].revents != 0 { return }
      if rests, waits[1].revents == 0 {
        rests = false
        continue
      }
      rests = !looks
      do throws(KernelError) {
        if waits[1].revents != 0 {
          try answer(&thread)
        } else {
          thread.yield(at: .now)
          let isCaughtUp = try hear() && lookAtUnseen(&thread)
          if isCaughtUp || .now - lookedAgain > Self.turn { lookAgain(&thread) }
        }
      } catch {
        return fail(error)
      }
    }
  }

  private func fail(_ error: KernelError) {
    log.write { $0.failure = error }
    log.answer(.max)
    answerer.wake()
  }

  /// Writes what was told before the question, and whose the new flows are as far as there is time. No answer if more
  /// comes than can be read.
  private func answer(_ thread: inout PromptThread) throws(KernelError) {
    asker.reset()
    let question = log.asked
    let end = ContinuousClock.now + Self.mostDelay
    for _ in 0..<Self.stretches {
      thread.yield(at: .now)
      guard try hear(), lookAtUnseen(&thread) || .now >= end else { continue }
      generations.rotate(at: .now)
      log.answer(question)
      answerer.wake()
      return lookAgain(&thread)
    }
  }

  /// How long nothing is due, in milliseconds; -1 when only news can bring something.
  private var due: CInt {
    if !unseen.isEmpty || witness.hasUnplaced { return 0 }
    let now = ContinuousClock.now
    guard let due = witness.due(at: now) else { return -1 }
    return CInt(max(0, ((due - now).inSeconds * 1000).rounded(.up)))
  }

  /// Reads what has come; returns whether nothing more waits.
  private func hear() throws(KernelError) -> Bool {
    let now = ContinuousClock.now
    let fill = events.fill
    let wanted = watchdog.isReliable(fill: fill, at: now)
    var heard = FlowLog.Batch()
    if wanted != events.isReliable {
      events.setReliable(wanted)
      // Of a NEW that did not fit until now the kernel has said nothing.
      if !wanted { heard.losses += 1 }
    }
    let receipt = try events.receive(limit: Self.stretch) { event in
      switch event {
      case .new(var flow):
        told.note(made: flow)
        generations.number(made: &flow)
        heard.created.append(flow.identity)
        guard looks else { return }
        if fill < Self.hurry { unseen.add(flow, at: now) } else { witness.passOver(flow) }
      case .destroyed(var flow):
        if told.isRepeated(flow) { return }
        generations.number(ended: &flow)
        heard.ended.append(flow)
      }
    }
    heard.losses += receipt.hasLost ? 1 : 0
    heard.malformed += receipt.malformed
    for flow in unseen.takeOverdue(at: now) { witness.passOver(flow) }
    heard.witness = condition
    log.write { $0.append(heard) }
    return receipt.isDrained
  }

  /// Looks whose the new flows are, the newest first, until more comes or somebody asks; returns whether all were
  /// looked at.
  private func lookAtUnseen(_ thread: inout PromptThread) -> Bool {
    if unseen.isEmpty { return true }
    var heard = FlowLog.Batch()
    let urgent = [events.descriptor, asker.descriptor, stopper.descriptor]
    let end = ContinuousClock.now + Self.turn
    while .now < end, let flow = unseen.takeNewest() {
      // Its ends may be another's by now.
      if generations.isOver(flow.identity) {
        witness.passOver(flow)
        continue
      }
      witness.see(flow, at: .now) {
        heard.add($0, $1)
      } isUrgent: {
        urgent.contains(where: Self.isReadable)
      } breathe: {
        thread.yield(at: .now)
      }
      if urgent.contains(where: Self.isReadable) { break }
    }
    heard.witness = condition
    log.write { $0.append(heard) }
    return unseen.isEmpty && !Self.isReadable(events.descriptor)
  }

  /// Does what can wait until nothing more urgent is left.
  private func lookAgain(_ thread: inout PromptThread) {
    lookedAgain = .now
    var heard = FlowLog.Batch()
    let urgent = [events.descriptor, asker.descriptor, stopper.descriptor]
    witness.idle(at: .now) {
      heard.add($0, $1)
    } isOver: {
      generations.isOver($0)
    } isUrgent: {
      urgent.contains(where: Self.isReadable)
    } breathe: {
      thread.yield(at: .now)
    }
    for description in witness.readPlaces() { heard.descriptions[description.identity] = description }
    heard.renamed = witness.takeRenamed()
    heard.witness = condition
    log.write { $0.append(heard) }
  }

  private var condition: FlowWitness.Condition {
    var condition = witness.condition
    condition.unseen += generations.overflow
    return condition
  }

  private static func isReadable(_ descriptor: CInt) -> Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // In bounds: one structure.
    return unsafe poll(&wait, 1, 0) > 0
  }
}
