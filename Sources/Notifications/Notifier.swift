public import Model
import Synchronization

/// Hands notifications to their deliveries without ever making its caller wait.
///
/// The loop that measures owns the notifier and calls `submit`; `service` delivers in a task of its own.
public struct Notifier: Sendable {
  /// What delivers; the program gives it a task.
  public let service: DeliveryService

  private struct Beginning {
    var delivery: any Delivery
    /// False while all that was to be said of it was dropped: its end is then dropped as well.
    var isReported: Bool
  }

  private let submitted: AsyncStream<DeliveryOrder>.Continuation
  private let drops = DropCounter()
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
  /// each notification goes to `line`. What commands write goes to the descriptor `output`, stderr by default; `warn` is
  /// called with one warning for each delivery that fails, until it succeeds again.
  public init(
    rules: [CommandRule], others: [RuleDelivery] = [], line: LineDelivery, output: CInt = 2,
    warn: @escaping @Sendable (Warning) -> Void
  ) {
    let (stream, continuation) = AsyncStream.makeStream(
      of: DeliveryOrder.self, bufferingPolicy: .unbounded)
    submitted = continuation
    self.line = line
    self.output = output
    service = DeliveryService(submitted: stream, drops: drops, warn: warn)
    reload(rules: rules, others: others)
  }

  /// How many notifications were not delivered because too many waited, since start.
  public var dropped: UInt64 { drops.total }

  /// Writes the line, and hands the notification to the deliveries of its rule; returns at once.
  ///
  /// A delivery takes the beginning and the end of an episode or neither: where too many wait, an end is dropped if its
  /// beginning was not reported, and kept if it was.
  public mutating func submit(_ notification: Notification) {
    line.attempt(notification)
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
    submitted.yield(.use(deliveries))
  }

  private mutating func begin(_ notification: Notification, _ kind: DeliveryKind) {
    guard let delivery = deliveries[DeliveryKey(notification.rule, kind)] else { return }
    let episode = DeliveredEpisode(kind: kind, episode: notification.episode)
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
    if drops.waiting < Self.capacity { send(notification, delivery) } else { drops.countUnread() }
  }

  private mutating func end(
    _ notification: Notification, _ kind: DeliveryKind, _ why: Notification.Ending
  ) {
    let beginning = begun.removeValue(
      forKey: DeliveredEpisode(kind: kind, episode: notification.episode))
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
    drops.countSubmitted()
    submitted.yield(.deliver(PendingDelivery(notification: notification, delivery: delivery)))
  }

  /// Takes no more notifications: the service ends when the deliveries of those before have ended.
  public func finish() { submitted.finish() }
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
