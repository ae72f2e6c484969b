public import Model
import Synchronization

/// Hands notifications to their deliveries without ever making its caller wait.
///
/// The loop that measures owns the notifier and calls `submit`; `service` delivers in a task of its own.
public struct Notifier: Sendable {
  /// What delivers; the program gives it a task.
  public let service: NotificationService

  /// The queue of one service: what is slow in one holds up nothing in the other.
  private struct ServiceQueue {
    let submitted: AsyncStream<DeliveryOrder>.Continuation
    let drops = DropCounter()
  }

  private struct Beginning {
    var delivery: any Delivery
    /// False while all that was to be said of it was dropped: its end is then dropped as well.
    var isReported: Bool
  }

  /// Webhooks, which wait for servers and are on the disk meanwhile.
  private let webhooks: ServiceQueue
  private let others: ServiceQueue
  private let line: LineDelivery
  private let output: CInt
  private var deliveries: [DeliveryKey: any Delivery] = [:]
  /// How the episodes which still go on began: a reload may take their delivery away before the end is reported.
  private var begun: [DeliveredEpisode: Beginning] = [:]
  /// Kinds of deliveries of which a beginning could not be remembered.
  private var forgotten: Set<DeliveryKind> = []

  /// The most notifications that wait for the service to look at them; ends of what was reported wait beyond it.
  static let capacity = 1024
  /// The most episodes that go on at a time whose delivery is remembered.
  static let mostBegun = 16_384

  /// Makes a notifier for the commands of `rules` and for `others`; a rule may have one delivery of each kind. The line of
  /// each notification goes to `line`. Webhooks that wait are kept in `spool`. What commands write goes to the descriptor `output`, stderr by default; `warn` is
  /// called with one warning for each delivery that fails, until it succeeds again.
  public init(
    rules: [CommandRule], others: [RuleDelivery] = [], line: LineDelivery, spool: WebhookSpool? = nil,
    output: CInt = 2, warn: @escaping @Sendable (Warning) -> Void
  ) {
    var services: [DeliveryService] = []
    func makeQueue(_ spool: WebhookSpool?) -> ServiceQueue {
      let (stream, continuation) = AsyncStream.makeStream(
        of: DeliveryOrder.self, bufferingPolicy: .unbounded)
      let queue = ServiceQueue(submitted: continuation)
      services.append(DeliveryService(submitted: stream, drops: queue.drops, warn: warn, spool: spool))
      return queue
    }
    (webhooks, self.others) = (makeQueue(spool), makeQueue(nil))
    self.line = line
    self.output = output
    service = NotificationService(services: services)
    reload(rules: rules, others: others)
  }

  /// How many notifications were not delivered because too many waited, since start.
  public var dropped: UInt64 { webhooks.drops.total + others.drops.total }

  private func queue(_ kind: DeliveryKind) -> ServiceQueue { kind == .webhook ? webhooks : others }

  /// Writes the line, unless it was written for another rule, and hands the notification to the deliveries of its rule; returns
  /// at once.
  ///
  /// A delivery takes the beginning and the end of an episode or neither: where too many wait, an end is dropped if its
  /// beginning was not reported, and kept if it was.
  public mutating func submit(_ notification: Notification, saysLine: Bool = true) {
    if saysLine { line.attempt(notification) }
    for kind in DeliveryKind.allCases where kind != .line {
      switch notification.stage {
      case .began, .goesOn: begin(notification, kind)
      case .ended(let why): end(notification, kind, why)
      case .single: tell(notification, kind)
      }
    }
  }

  /// Uses `rules` and `others` from now on, also for what waits; episodes that only end now still find the delivery that
  /// they began with. What waits after a failure is tried at once, or dropped and said where its rule has no such delivery
  /// any more. The last of two of one rule and kind counts.
  public mutating func reload(rules: [CommandRule], others: [RuleDelivery] = []) {
    let commands = rules.map {
      RuleDelivery(rule: $0.rule, delivery: CommandDelivery(rule: $0, output: output))
    }
    deliveries = Dictionary(
      (commands + others).map { ($0.key, $0.delivery) }, uniquingKeysWith: { _, last in last })
    webhooks.submitted.yield(.use(deliveries.filter { $0.key.kind == .webhook }))
    self.others.submitted.yield(.use(deliveries.filter { $0.key.kind != .webhook }))
  }

  /// The deliveries that were notified of the beginning of an episode that goes on.
  public func notified(of episode: Notification.Episode) -> [DeliveryKind] {
    DeliveryKind.allCases.filter { begun[DeliveredEpisode(kind: $0, episode: episode)]?.isReported == true }
  }

  /// Continues an episode of an earlier run, of which these kinds of deliveries were notified: those
  /// that its rule still has are notified of its end as well.
  public mutating func restore(_ episode: Notification.Episode, notified: [DeliveryKind]) {
    for kind in notified {
      guard let delivery = deliveries[DeliveryKey(episode.rule, kind)] else { continue }
      begun[DeliveredEpisode(kind: kind, episode: episode)] = Beginning(delivery: delivery, isReported: true)
    }
  }

  private mutating func begin(_ notification: Notification, _ kind: DeliveryKind) {
    guard let delivery = deliveries[DeliveryKey(notification.rule, kind)] else { return }
    let episode = DeliveredEpisode(kind: kind, episode: notification.episode)
    let drops = queue(kind).drops
    let isReported = drops.waiting < Self.capacity
    if isReported { send(notification, delivery) } else { drops.countUnread() }
    if begun[episode] != nil {
      if isReported { begun[episode]?.isReported = true }
    } else if begun.count < Self.mostBegun {
      begun[episode] = Beginning(delivery: delivery, isReported: isReported)
    } else {
      forgotten.insert(kind)
    }
  }

  private func tell(_ notification: Notification, _ kind: DeliveryKind) {
    guard let delivery = deliveries[DeliveryKey(notification.rule, kind)] else { return }
    let drops = queue(kind).drops
    if drops.waiting < Self.capacity { send(notification, delivery) } else { drops.countUnread() }
  }

  private mutating func end(
    _ notification: Notification, _ kind: DeliveryKind, _ why: Notification.Ending
  ) {
    let beginning = begun.removeValue(
      forKey: DeliveredEpisode(kind: kind, episode: notification.episode))
    let drops = queue(kind).drops
    // Its beginning was reported to nobody.
    if beginning == nil, !forgotten.contains(kind) { return }
    if let beginning, !beginning.isReported {
      if beginning.delivery.deliversEnds { drops.countUnread() }
      return
    }
    // A new rule of the same name knows nothing of what the removed one said.
    let old = beginning?.delivery
    let new = deliveries[DeliveryKey(notification.rule, kind)]
    let current = why == .ruleRemoved ? old ?? new : new ?? old
    guard let delivery = current, beginning != nil || drops.waiting < Self.capacity else {
      return drops.countUnread()
    }
    send(notification, delivery)
  }

  private func send(_ notification: Notification, _ delivery: any Delivery) {
    let queue = queue(delivery.kind)
    queue.drops.countSubmitted()
    queue.submitted.yield(.deliver(PendingDelivery(notification: notification, delivery: delivery)))
  }

  /// Takes no more notifications: the service ends when the deliveries of those before have ended.
  public func finish() {
    webhooks.submitted.finish()
    others.submitted.finish()
  }
}

/// Delivers what a notifier hands over: webhooks, and all else.
public struct NotificationService: Sendable {
  let services: [DeliveryService]

  /// Delivers until the notifier is finished and then until the last delivery has ended, within its time limit; those
  /// that wait may still be started for ten seconds, and none is tried again. When the task is cancelled, what runs is
  /// ended and what waits is dropped, but for what is on the disk.
  public func run() async { await run(drainTime: .seconds(10)) }

  func run(drainTime: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      for service in services { group.addTask { await service.run(drainTime: drainTime) } }
    }
  }
}

/// Counts what waits and what was dropped, where the loop and the service can both see it.
final class DropCounter: Sendable {
  private let submitted = Atomic<Int>(0)
  private let unread = Atomic<UInt64>(0)
  private let queued = Atomic<UInt64>(0)

  var total: UInt64 { unread.load(ordering: .relaxed) + queued.load(ordering: .relaxed) }

  /// How many deliveries the service has not looked at.
  var waiting: Int { submitted.load(ordering: .relaxed) }

  func countSubmitted() { submitted.add(1, ordering: .relaxed) }

  func countTaken() { submitted.subtract(1, ordering: .relaxed) }

  func countUnread() { unread.add(1, ordering: .relaxed) }

  func set(queued count: UInt64) { queued.store(count, ordering: .relaxed) }
}
