import Model
import SystemRuntime

/// What waits on the disk, over the end of one run and the start of the next.
extension DeliveryService {
  /// The most text that waits, in bytes.
  static let mostBytes = 4 << 20

  /// Opens the folder, and goes on with what waits there as rules have their webhooks now; what has none is dropped and said.
  func opened(
    _ spool: WebhookSpool, _ deliveries: [DeliveryKey: any Delivery], _ current: CurrentDeliveries,
    _ queue: inout DeliveryQueue, _ retries: inout Retries
  ) -> DeliverySpool {
    var opened = DeliverySpool(spool, warn: warn)
    for (name, waiting, passed) in opened.load() {
      let notification = waiting.notification
      guard let delivery = deliveries[DeliveryKey(notification.rule, .webhook)] else {
        warn(Self.dropped(notification, .webhook))
        continue
      }
      var pending = current.submitted(PendingDelivery(notification: notification, delivery: delivery))
      (pending.attempts, pending.name) = (waiting.attempts, name)
      // The pause goes on; a wall clock that was set makes it no longer.
      let pause =
        waiting.attempts > 0 ? policy.pause(after: .notTaken(""), attempts: waiting.attempts) : nil
      let isPaused = pause != nil && !retries.held.contains { $0.key == pending.key }
      queue.restore(pending, isPaused: isPaused)
      if isPaused, let pause { retries.restore(pending, until: .now + max(.zero, pause - passed)) }
    }
    return opened
  }

  /// Ends the pause of a delivery when no more are to begin: what is on the disk waits there for the next start; else it has
  /// its last attempt.
  func end(_ pending: PendingDelivery, _ queue: inout DeliveryQueue, _ kept: inout DeliverySpool?) {
    if kept?.holds(pending) == true { leave(pending, &queue, &kept) } else { queue.resume(pending) }
  }

  /// Leaves a delivery on the disk whose attempt ended with `outcome` after the end, if there is to be another one.
  func leave(
    _ pending: PendingDelivery, after outcome: DeliveryOutcome, _ queue: inout DeliveryQueue,
    _ kept: inout DeliverySpool?
  ) {
    guard kept?.holds(pending) == true else { return }
    var pending = pending
    switch outcome {
    case .abandoned: break
    case .notTaken, .notBegun:
      pending.attempts += 1
      if policy.pause(after: outcome, attempts: pending.attempts) == nil { return }
    case .succeeded, .failed: return
    }
    leave(pending, &queue, &kept)
  }

  /// Leaves a delivery, and what must not overtake it.
  private func leave(
    _ pending: PendingDelivery, _ queue: inout DeliveryQueue, _ kept: inout DeliverySpool?
  ) {
    guard let held = kept else { return }
    kept?.leave(pending)
    let later = queue.leave(pauseOf: pending.key) { $0.key == pending.key && held.holds($0) }
    for pending in later { kept?.leave(pending) }
  }
}
