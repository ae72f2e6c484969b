public import Model
import SystemPackage
public import SystemRuntime

/// Probes targets, thousands at a time, on the thread that calls it.
///
/// Its owner gives it jobs, calls `wait`, and takes what was found. Errors of the path are results; only what concerns the whole
/// engine is said apart (`takeNotes`).
public final class ProbeEngine {
  /// A result, and the job that it belongs to.
  public struct Outcome: Sendable, Hashable {
    /// The job.
    public var job: ProbeJob
    /// What a round of it found.
    public var result: ProbeResult
  }

  /// Something to be known of the engine as a whole.
  public enum Note: Sendable, Hashable {
    /// Something was refused: why, and what to do.
    case refused(String)
    /// A receive buffer was full: how much had no room, and what to do. This comes once.
    case overflowed(String)
    /// This host lacks what asking services needs: what, and what to do. Results that it made are unknown.
    case lacking(String)
  }

  let packet: EchoPacket
  let identifier: UInt16
  var targets = TargetTable()
  var deadlines = DeadlineQueue()
  var channels = ChannelTable()
  var refusals: [ChannelKey: Errno] = [:]
  var buffer = EchoBuffer()
  var outcomes: [Outcome] = []
  /// Targets for which a message just read makes something due; empty between calls of `receive(by:)`.
  var answered: [ProbedTarget] = []
  var notes: [Note] = []
  var overflow = ReplyOverflow()
  /// Channels that have requests, each for a number of routers.
  var unsent: [ChannelKey] = []
  let services: ServiceProbes
  let datagrams: DatagramTraces
  private var numbers: [ProbeJob: UInt32] = [:]
  private var lastNumber: UInt32 = 0
  private let poller: Poller
  private var events = PollEvents(capacity: 64)
  let clock: @Sendable () -> Timestamp

  /// Makes an engine without jobs. Errors: no descriptor was to be had.
  public init(clock: @escaping @Sendable () -> Timestamp = WallClock.now) throws(KernelError) {
    // Traces by UDP take a descriptor for each target and flow, services one for each question.
    let places = ServicePlaces(descriptors: DescriptorLimit.raise())
    poller = try Poller()
    services = try ServiceProbes(places)
    self.clock = clock
    packet = EchoPacket(secret: .random(in: 1 ... .max))
    datagrams = DatagramTraces(secret: .random(in: 1 ... .max))
    identifier = .random(in: 1 ... .max)
    do throws(Errno) { try poller.add(services.waker, token: Self.servicesToken) } catch {
      throw .failed("waiting for services", error)
    }
  }

  static let otherToken: UInt64 = 0
  static let servicesToken: UInt64 = 1
  static let firstChannelToken: UInt64 = 16
  static let firstSocketToken: UInt64 = 1024

  /// Has `wait` end when a signal comes.
  public func watch(_ signals: borrowing SignalPipe) throws(KernelError) {
    do throws(Errno) { try poller.add(signals, token: Self.otherToken) } catch {
      throw .failed("waiting for signals", error)
    }
  }

  /// Has `wait` end when `waker` is used.
  public func watch(_ waker: Waker) throws(KernelError) {
    do throws(Errno) { try poller.add(waker, token: Self.otherToken) } catch {
      throw .failed("waiting for another thread", error)
    }
  }

  /// Makes the jobs those of `jobs`: new ones begin, their first rounds spread over some time; what runs of others is dropped.
  public func use(_ jobs: [ProbeJob]) {
    let now = Instant.now
    let wanted = Set(jobs)
    for (job, number) in numbers where !wanted.contains(job) {
      numbers[job] = nil
      services.cancel(target: number)
      datagrams.cancel(target: number)
    }
    var used = targets.all.filter { numbers[$0.job] == $0.number }
    let added = jobs.filter { numbers[$0] == nil }
    let first = FirstRounds(count: added.count)
    for (index, job) in added.enumerated() where numbers[job] == nil {
      lastNumber &+= 1
      numbers[job] = lastNumber
      let target = ProbedTarget(lastNumber, job) { interval, perSecond in
        now + first.delay(of: index, interval: interval, perSecond: perSecond)
      }
      used.append(target)
      for kind in ProbedTarget.Kind.allCases { schedule(target, kind, at: target.wake(kind)) }
    }
    targets = TargetTable(used)
  }

  /// Begins no rounds any more; those that run go on until `isIdle`.
  public func finish() {
    for target in targets.all {
      target.finish()
      for kind in ProbedTarget.Kind.allCases { schedule(target, kind, at: target.wake(kind)) }
    }
  }

  /// True when nothing is left to do.
  public var isIdle: Bool { targets.all.allSatisfy(\.isOver) }

  /// Waits until something was found, a signal or a waker that is watched came (then true), or `limit` has passed; does meanwhile
  /// what is due.
  public func wait(atMost limit: Duration? = nil) -> Bool {
    let end = limit.map { Instant.now + $0 }
    while true {
      let isDone = work()
      if !outcomes.isEmpty || !notes.isEmpty { return poll(atMost: .zero) }
      let now = Instant.now
      if let end, now >= end { return false }
      if end == nil, isIdle { return false }
      let next = [
        deadlines.earliest, services.earliest, end, unsent.isEmpty ? nil : now + Self.pauseWhenFull,
      ].compactMap(\.self).min()
      let pause = isDone && canPause ? Self.pauseWhenFast : .zero
      if poll(atMost: next.map { max(.zero, $0 - now) }, after: pause) { return true }
    }
  }

  private static let pauseWhenFull = Duration.milliseconds(1)
  /// With what there is to do a round then takes the 10 ms that are between two requests of a burst.
  private static let pauseWhenFast = Duration.milliseconds(9)

  /// True where replies are better taken together than each when it comes: requests that wait are sent first.
  private var canPause: Bool {
    unsent.isEmpty && !services.isTiming && channels.all.contains(where: \.channel.isFast)
  }

  /// Takes what was found since the last call, in its order.
  public func takeOutcomes() -> [Outcome] {
    let taken = outcomes
    outcomes = []
    // As many are likely again.
    outcomes.reserveCapacity(taken.count)
    return taken
  }

  /// Takes what is to be known of the engine as a whole since the last call: sentences that end with what to do.
  public func takeNotes() -> [Note] {
    defer { notes = [] }
    return notes
  }

  /// Messages that had no room in a receive buffer, since start: replies among them count as lost.
  public var droppedMessages: UInt64 { overflow.total }

  /// Handles what comes within `limit`, looking no sooner than `pause` has passed; returns whether something else that is
  /// watched has come.
  private func poll(atMost limit: Duration?, after pause: Duration = .zero) -> Bool {
    if pause > .zero { Poller.pause(for: pause) }
    poller.wait(into: &events, timeout: limit)
    var isOther = false
    for index in 0..<events.count {
      let (token, readiness) = events[index]
      switch token {
      case Self.otherToken: isOther = true
      case Self.servicesToken: services.collect()
      case Self.firstChannelToken..<Self.firstSocketToken: receive(by: ChannelKey(token: token), readiness)
      case DatagramTraces.firstToken...: receiveDatagrams(token)
      default: services.handle(token, readiness)
      }
    }
    if events.count > 0 { takeAnswers() }
    return isOther
  }

  /// Does what is due now. Returns false when that is more than a round's work: what is left is for the next round, after what
  /// has come.
  private func work() -> Bool {
    let now = Self.readClocks()
    var time: Timestamp?
    var taken = 0
    while taken < Self.mostDue, let entry = deadlines.take(until: now.instant) {
      taken += 1
      guard let kind = ProbedTarget.Kind(rawValue: UInt8(truncatingIfNeeded: entry.token)),
        let target = targets[UInt32(truncatingIfNeeded: entry.token >> 8)], target.isDue(kind, at: entry.time)
      else { continue }
      let clock = time ?? self.clock()
      time = clock
      advance(target, kind, at: now, clock)
    }
    flush()
    services.expire(at: now.instant)
    services.beginWaiting(poller)
    takeAnswers()
    return taken < Self.mostDue
  }

  /// Who is late must not send more than the receive buffer has room for replies to.
  private static let mostDue = 128

  /// Does what is due of a target's probes of one kind.
  func advance(
    _ target: ProbedTarget, _ kind: ProbedTarget.Kind, at now: RoundTripClock.Reading, _ time: Timestamp
  ) {
    switch kind {
    case .ping: advancePing(target, at: now, time)
    case .trace: advanceTrace(target, at: now, time)
    case .scan: advanceScan(target, at: now, time)
    case .connect: advanceConnect(target, at: now, time)
    }
    schedule(target, kind, at: target.wake(kind))
  }

  func schedule(_ target: ProbedTarget, _ kind: ProbedTarget.Kind, at wake: Instant?) {
    guard target.setWake(kind, to: wake), let wake else { return }
    deadlines.add(UInt64(target.number) << 8 | UInt64(kind.rawValue), at: wake)
  }

  func watch(_ channel: EchoChannel, token: UInt64) {
    // Without it nothing is received: the requests are lost.
    do throws(Errno) { try channel.watch(poller, token: token) } catch {
      notes.append(
        .refused("waiting for replies: \(error.description). Raise the limit of open files (`ulimit -n`)."))
    }
  }

  /// Sends a datagram for a trace; returns why it cannot be.
  func sendDatagram(_ token: EchoToken, of flow: Int, _ job: ProbeJob, ttl: Int) -> Errno? {
    do throws(Errno) {
      try datagrams.send(token, of: flow, to: job.target.address, zone: job.zone, ttl: ttl, poller)
      return nil
    } catch { return error }
  }

  func ask(_ question: ServiceProbes.Question, _ job: ProbeJob, within limit: Duration) {
    services.ask(
      question, at: job.target.address, zone: job.zone, name: job.host, within: limit, poller)
  }

  func add(_ finding: ProbeResult.Finding, of target: ProbedTarget, began: Timestamp) {
    let job = target.job
    outcomes.append(
      Outcome(job: job, result: ProbeResult(target: job.target, time: began, finding: finding)))
  }
}

/// When the first rounds of many targets begin: thousands must not send all at the same moment. Does no I/O.
struct FirstRounds: Sendable {
  /// How many targets begin.
  let count: Int

  /// So few begin at once.
  private static let few = 16
  /// Over what time rounds are spread that come once.
  private static let once = Duration.milliseconds(500)

  /// How long after the others the target at `index` begins rounds of which one comes each `interval`, nil for a single one.
  ///
  /// They are spread over the interval, so that as much is sent at each moment; but a short time is enough where no more than
  /// `perSecond` begin in a second.
  func delay(of index: Int, interval: Duration?, perSecond: Int) -> Duration {
    guard count > Self.few else { return .zero }
    let enough = max(.seconds(1), .seconds(1) * count / perSecond)
    return (interval.map { min($0, enough) } ?? Self.once) * index / count
  }
}
