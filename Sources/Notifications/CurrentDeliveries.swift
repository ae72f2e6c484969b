/// Which delivery each rule has now. What was submitted before a reload may have another, and takes this one.
struct CurrentDeliveries: Sendable {
  private var deliveries: [DeliveryKey: any Delivery] = [:]
  /// Counts reloads.
  private var generation = 0

  /// Takes those of a reload.
  mutating func use(_ deliveries: [DeliveryKey: any Delivery]) {
    self.deliveries = deliveries
    generation += 1
  }

  /// A delivery as it was submitted now.
  func submitted(_ pending: PendingDelivery) -> PendingDelivery {
    var pending = pending
    pending.generation = generation
    return pending
  }

  /// A delivery as its rule has it now, with all attempts if that is another one; nil where the rule has none any more.
  func renewed(_ pending: PendingDelivery) -> PendingDelivery? {
    if pending.generation == generation { return pending }
    guard let delivery = deliveries[pending.key] else { return nil }
    var pending = submitted(pending)
    pending.delivery = delivery
    pending.attempts = 0
    return pending
  }
}
