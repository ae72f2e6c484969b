import Model
import SystemRuntime

/// Delivers what a notifier hands over: the shell around `DeliveryQueue`, which decides.
struct DeliveryService: Sendable {
  private enum Happening: Sendable {
    case ordered(DeliveryOrder)
    case closed
    case ended(PendingDelivery, DeliveryOutcome)
    case timerEnded(Instant)
    case tooLate
  }

  let submitted: AsyncStream<DeliveryOrder>
  let drops: DropCounter
  let warn: @Sendable (Warning) -> Void
  var policy = RetryPolicy.standard
  /// Where what waits is kept on the disk; nil where it is in memory alone.
  var spool: WebhookSpool?

  /// Delivers until the notifier is finished and then until the last delivery has ended, within its time limit; those
  /// that wait may still be started for ten seconds, and none is tried again. When the task is cancelled, what runs is
  /// ended and what waits is dropped. What is kept on the disk is left there for the next start.
  func run(drainTime: Duration = .seconds(10)) async {
    var queue = DeliveryQueue(mostBytes: spool == nil ? .max : Self.mostBytes)
    var kept: DeliverySpool?
    var retries = Retries(policy)
    var failures = FailureLog()
    var current = CurrentDeliveries()
    var isOpen = true
    await withTaskGroup(of: Happening.self) { group in
      // One task waits for the next order, and no other until that has come.
      group.addTask { await next() }
      while let happening = await group.next() {
        switch happening {
        case .ordered(.deliver(let pending)):
          queue.add(current.submitted(kept?.named(pending) ?? pending))
          group.addTask { await next() }
        case .ordered(.use(let deliveries)):
          current.use(deliveries)
          queue.use(current)
          // What failed is tried at once, and said if it fails again.
          for pending in retries.takeAll() { renew(pending, current, &queue) }
          failures = FailureLog()
          if kept == nil, let spool, !deliveries.isEmpty || spool.isThere {
            kept = opened(spool, deliveries, current, &queue, &retries)
          }
          group.addTask { await next() }
        case .closed:
          isOpen = false
          for pending in retries.close() { end(pending, &queue, &kept) }
          if let warning = awaited(queue, drainTime) { warn(warning) }
          group.addTask { await endOfDraining(after: drainTime) }
        case .ended(let ended, let outcome):
          guard let pending = current.renewed(ended) else {
            if policy.pause(after: outcome, attempts: 1) == nil {
              queue.finish(ended.key)
              if let warning = failures.record(outcome, of: ended.key) { warn(warning) }
            } else {
              renew(ended, current, &queue)
            }
            break
          }
          if retries.pause(pending, after: outcome, at: .now) {
            queue.pause(pending.key)
            // What may take hours to pass is said at once.
            guard case .notTaken = outcome else { break }
          } else {
            queue.finish(pending.key)
            if !isOpen { leave(pending, after: outcome, &queue, &kept) }
          }
          if let warning = failures.record(outcome, of: pending.key) { warn(warning) }
        case .timerEnded(let timer):
          for pending in retries.end(timer: timer) { queue.resume(pending) }
        case .tooLate:
          if let held = kept { for pending in queue.leave(where: held.holds) { kept?.leave(pending) } }
          if let warning = Self.warning(of: queue.dropWaiting()) { warn(warning) }
        }
        let started = queue.start()
        kept?.keep(queue.held + retries.held)
        for pending in started {
          group.addTask { .ended(pending, await pending.delivery.attempt(pending.notification)) }
        }
        if let timer = retries.startTimer() { group.addTask { await end(of: timer) } }
        drops.set(queued: queue.dropped)
        if !isOpen, queue.isIdle { group.cancelAll() }
      }
    }
  }

  private func next() async -> Happening {
    for await order in submitted {
      if case .deliver = order { drops.countTaken() }
      return .ordered(order)
    }
    return .closed
  }

  /// Has what failed tried again as its rule says now, or drops it and says so.
  private func renew(
    _ pending: PendingDelivery, _ current: CurrentDeliveries, _ queue: inout DeliveryQueue
  ) {
    if let renewed = current.renewed(pending) { return queue.resume(renewed) }
    queue.abandon(pending)
    warn(Self.dropped(pending.notification, pending.delivery.kind))
  }

  static func dropped(_ notification: Notification, _ kind: DeliveryKind) -> Warning {
    Warning(
      code: "notification_dropped",
      text:
        "[\(notification.rule.escapingControlCharacters)]: `\(notification.line.escapingControlCharacters.shortened(to: 200))` "
        + "was not delivered and is dropped: the configuration has no \(kind.configurationKey) for it any more."
    )
  }

  /// A pause is short when the service is cancelled: the attempt after it sees that.
  private func end(of timer: Instant) async -> Happening {
    try? await Task.sleep(for: timer - .now)
    return .timerEnded(timer)
  }

  /// The sleep ends early when the service is cancelled: then there is nothing to wait for either.
  private func endOfDraining(after drainTime: Duration) async -> Happening {
    try? await Task.sleep(for: drainTime)
    return .tooLate
  }

  /// What to say before the end waits for deliveries: how many, and for how long at most.
  private func awaited(_ queue: DeliveryQueue, _ drainTime: Duration) -> Warning? {
    guard !queue.isIdle else { return nil }
    let count = queue.runningCount + queue.waitingCount
    let start = queue.waitingCount > 0 ? drainTime : .zero
    let limit = start + queue.longestTimeLimit
    return Warning(
      code: "notifications_awaited",
      text: spool == nil
        ? "the end waits for \(count) notification \(count == 1 ? "command" : "commands"), at most "
          + "\(limit.inSeconds.fixed(1)) s: SIGKILL does not wait, lower command_timeout to wait less."
        : "the end waits for \(count) \(count == 1 ? "webhook" : "webhooks"), at most \(limit.inSeconds.fixed(1)) s: SIGKILL "
          + "does not wait.")
  }

  private static func warning(of dropped: Int) -> Warning? {
    guard dropped > 0 else { return nil }
    return Warning(
      code: "notifications_dropped",
      text: "\(dropped) notifications were not run before the end: make the commands faster or fewer.")
  }
}

extension DeliveryKind {
  /// The key of a section that asks for it.
  fileprivate var configurationKey: String {
    switch self {
    case .line: "line"
    case .command: "notification_command"
    case .mail: "mail_config"
    case .webhook: "webhook"
    }
  }
}

/// What a notifier hands over, in order.
enum DeliveryOrder: Sendable {
  /// A notification to deliver.
  case deliver(PendingDelivery)
  /// The deliveries that rules have from now on.
  case use([DeliveryKey: any Delivery])
}

/// Says once that a rule's delivery fails, and again only after it succeeded.
struct FailureLog: Sendable {
  private var failing: Set<DeliveryKey> = []

  /// Takes how a delivery ended; returns the warning if it is the rule's first failure since its last success.
  mutating func record(_ outcome: DeliveryOutcome, of key: DeliveryKey) -> Warning? {
    switch outcome {
    case .succeeded:
      failing.remove(key)
      return nil
    case .abandoned: return nil
    case .failed(let why), .notBegun(let why), .notTaken(let why):
      guard failing.insert(key).inserted else { return nil }
      return Warning(
        code: "notification_failed",
        text: "[\(key.rule.escapingControlCharacters)]: \(why) This is said once until it succeeds.")
    }
  }
}
