import Model
import Synchronization
import SystemRuntime
import SystemPackage

/// A thread with its own connections, from accepting to closing. Nothing in it waits but the poller.
final class Worker {
  /// A pipe that this worker accepts for.
  struct Service {
    let pipe: Pipe
    let listeners: [TCPListener]
    /// Why nothing is accepted now: when to try again.
    var pausedUntil: Instant?
  }

  /// How many connections of this worker wait for grants of a limiter.
  struct Waiting {
    var limiter: DirectionLimiter
    var count = 0
  }

  /// What workers of an engine share.
  final class Common: Sendable {
    let allowance: PipePool.Allowance
    /// How long connections are young.
    let keepAliveAge: Duration
    /// Workers that have not ended.
    let running: Atomic<Int>
    /// Workers that accept nothing more.
    let draining = Atomic<Int>(0)
    /// Listeners' places in pollers that are to be given up: a removed pipe has one in each.
    let closing = Atomic<Int>(0)
    /// Woken when one was given up, and at the end of each worker.
    let changed: Waker
    /// The most connections that all pipes together have; those whose configuration names a limit of their own may
    /// have more.
    let connectionLimit: Atomic<Int>
    /// When one of them last moved little for somebody, in microseconds of the clock. A worker that has only bulk needs
    /// to know it: it leaves the others no processor.
    let sawOthersAt = Atomic<Int64>(0)
    /// Until when none of them gives turns to bulk, in microseconds of the clock.
    let restsUntil = Atomic<Int64>(0)

    init(workers: Int, budget: DescriptorBudget, keepAliveAge: Duration) throws(KernelError) {
      self.keepAliveAge = keepAliveAge
      allowance = PipePool.Allowance(budget.splicePipes)
      running = Atomic(workers)
      changed = try Waker()
      connectionLimit = Atomic(budget.connections(services: 1))
    }
  }

  let index: Int
  let common: Common
  let mailbox: Mailbox
  /// All workers' mailboxes, this one's included.
  let colleagues: [Mailbox]
  let poller: Poller
  let pool: PipePool
  var services: [Int: Service] = [:]
  var connections: [Connection?] = []
  var generations: [UInt32] = []
  var freeSlots: [Int] = []
  var deadlines = DeadlineQueue()
  // Connections that stopped only to let others have their turn.
  var queue: [Token] = []
  /// Limiters in whose queue a connection of this worker stands.
  var shaped: [ObjectIdentifier: Waiting] = [:]
  var turns: BulkTurns
  var nextGrants: Instant?
  var resolving: [Token] = []
  /// Clients that were accepted in this pass: they have until the next one to say something.
  var newcomers: [Token] = []
  private var lastNewcomers: [Token] = []
  var keepAlive: KeepAliveSchedule
  /// Asks whether peers still take what was sent to them.
  var untakenBytes = UntakenBytes()
  var scratch = [UInt8](repeating: 0, count: 65536)
  var now = Instant.now
  /// How many events in one pass are much work.
  private static let manyEvents = 64
  private var events = 0
  /// Whether this pass takes long: others wait for their turn, or there was much to look at.
  var isBusy: Bool { !queue.isEmpty || events >= Self.manyEvents }
  private var isStopped = false

  init(index: Int, common: Common, mailboxes: [Mailbox]) throws(KernelError) {
    self.index = index
    self.common = common
    mailbox = mailboxes[index]
    colleagues = mailboxes
    pool = PipePool(common.allowance)
    keepAlive = KeepAliveSchedule(age: common.keepAliveAge)
    // Where there are more, peers have the others.
    turns = BulkTurns(rests: Processors.count <= 2 * mailboxes.count)
    poller = try Poller()
    do throws(Errno) { try poller.add(mailbox.waker, token: Token(slot: 0, generation: 0, .waker).raw) } catch
    {
      throw .failed("waiting for an event descriptor", error)
    }
  }

  /// Works until it is stopped.
  func run() {
    var events = PollEvents(capacity: 256)
    while !isStopped {
      poller.wait(into: &events, timeout: timeout)
      now = .now
      self.events = events.count
      noteColleagues()
      swap(&newcomers, &lastNewcomers)
      for index in 0..<events.count { handle(events[index].token, events[index].readiness) }
      dialNewcomers()
      handOutGrants()
      takeTurns()
      handOutTurns()
      lookAtDeadlines()
      keepOldAlive()
    }
    end()
  }

  /// Cuts everything, also what colleagues have handed over since the last look at the messages.
  func end() {
    for connection in connections { if let connection { cut(connection) } }
    for case .adopt(let pipe, let client, _) in mailbox.close() { cut(client, of: pipe) }
    common.running.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    common.changed.wake()
  }

  private var timeout: Duration? {
    if !queue.isEmpty || !newcomers.isEmpty { return .zero }
    var next = deadlines.earliest
    if let nextGrants { next = next.map { min($0, nextGrants) } ?? nextGrants }
    if let look = turns.nextLook { next = next.map { min($0, look) } ?? look }
    if let look = keepAlive.nextLook { next = next.map { min($0, look) } ?? look }
    for service in services.values {
      if let until = service.pausedUntil { next = next.map { min($0, until) } ?? until }
    }
    return next.map { max(.zero, $0 - .now) }
  }

  private func handle(_ raw: UInt64, _ readiness: Readiness) {
    let token = Token(raw)
    switch token.kind {
    case .waker: readMail()
    case .listener: accept(for: Int(token.slot), listener: Int(token.generation))
    case .client: if let connection = connection(token) { clientChanged(connection, readiness) }
    case .attempt(let index):
      if let connection = connection(token) { targetChanged(connection, index, readiness) }
    }
  }

  private func readMail() {
    for message in mailbox.take() {
      switch message {
      case .open(let pipe): open(pipe)
      case .close(let pipe): close(pipe)
      case .drain: drain()
      case .adopt(let pipe, let client, let source): begin(pipe, client, from: source)
      case .resolved(let pipe): resolved(pipe)
      case .stop: isStopped = true
      }
    }
  }

  /// The connection that `token` means; nil when it has gone.
  func connection(_ token: Token) -> Connection? {
    let slot = Int(token.slot)
    guard slot < connections.count, generations[slot] == token.generation else { return nil }
    return connections[slot]
  }

  private func dialNewcomers() {
    for token in lastNewcomers { if let connection = connection(token) { identified(connection) } }
    lastNewcomers.removeAll(keepingCapacity: true)
  }

  private func takeTurns() {
    guard !queue.isEmpty else { return }
    let turn = queue
    queue.removeAll(keepingCapacity: true)
    for token in turn {
      guard let connection = connection(token) else { continue }
      connection.isQueued = false
      move(connection)
    }
  }

  private func lookAtDeadlines() {
    while let entry = deadlines.take(until: now) {
      guard let connection = connection(Token(entry.token)), connection.scheduled == entry.time else {
        continue
      }
      connection.scheduled = nil
      guard let deadline = connection.deadline else { continue }
      if deadline <= now { deadlinePassed(connection) } else { schedule(connection) }
    }
    for (id, service) in services {
      guard let until = service.pausedUntil, until <= now else { continue }
      resume(id)
    }
  }

  private func keepOldAlive() {
    guard keepAlive.isDue(at: now) else { return }
    for case let connection? in connections
    where !connection.isKeptAlive && keepAlive.isOver(connection.started, at: now) {
      guard case .open(let received, _) = connection.phase else { continue }
      received.source.socket.keepAlive()
      received.sink.socket.keepAlive()
      connection.isKeptAlive = true
      keepAlive.left()
    }
  }

  /// Sees to it that the connection is looked at again when its deadline comes.
  func schedule(_ connection: Connection) {
    guard let deadline = connection.deadline else { return }
    // One entry that comes early enough will do: it is then moved.
    if let scheduled = connection.scheduled, scheduled <= deadline { return }
    connection.scheduled = deadline
    deadlines.add(connection.token.raw, at: deadline)
  }
}
