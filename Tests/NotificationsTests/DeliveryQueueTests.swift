import Model
import Testing

@testable import Notifications

@Suite struct DeliveryQueueTests {
  private func pending(
    _ rule: String, _ stage: Notification.Stage = .began, count: Int = 1, since: Int64 = 0,
    onResolve: Bool = true
  ) -> PendingDelivery {
    PendingDelivery(
      notification: sampleNotification(stage, rule: rule, since: since, line: String(count)),
      delivery: CommandDelivery(
        rule: CommandRule(rule: rule, words: ["/bin/true"], runsOnResolve: onResolve), output: 2))
  }

  private func names(_ deliveries: [PendingDelivery]) -> [String] {
    deliveries.map { pending in
      let mark =
        switch pending.notification.stage {
        case .began: "+"
        case .goesOn: pending.notification.line
        case .ended: "-"
        case .single: "!"
        }
      return "\(pending.rule)\(mark)"
    }
  }

  /// Runs all that waits, one after the other.
  private func drain(_ queue: inout DeliveryQueue) -> [String] {
    var order = [String]()
    while true {
      let started = queue.start()
      if started.isEmpty { return order }
      order += names(started)
      for pending in started { queue.finish(pending.key) }
    }
  }

  @Test func `four run at once, in order`() {
    var queue = DeliveryQueue()
    for rule in ["a", "b", "c", "d", "e", "f"] { queue.add(pending(rule)) }
    #expect(names(queue.start()) == ["a+", "b+", "c+", "d+"])
    #expect(queue.start().isEmpty)
    queue.finish(DeliveryKey("c", .command))
    #expect(names(queue.start()) == ["e+"])
    #expect(queue.waitingCount == 1 && !queue.isIdle)
  }

  @Test func `what stands alone is delivered once, and nothing of it is remembered`() {
    var queue = DeliveryQueue(places: 1, capacity: 3)
    for since in 1...4 { queue.add(pending("a", .single, since: Int64(since))) }
    #expect(queue.dropped == 1 && queue.waitingCount == 3)
    #expect(drain(&queue) == ["a!", "a!", "a!"])
    // Nothing waits for its end.
    queue.add(pending("a", .single, since: 1))
    #expect(drain(&queue) == ["a!"] && queue.dropped == 1 && queue.isIdle)
  }

  @Test func `a rule has one delivery at a time and does not hold up others`() {
    var queue = DeliveryQueue()
    for since in 1...3 { queue.add(pending("a", since: Int64(since))) }
    queue.add(pending("b"))
    #expect(names(queue.start()) == ["a+", "b+"])
    queue.finish(DeliveryKey("b", .command))
    #expect(queue.start().isEmpty)
    queue.finish(DeliveryKey("a", .command))
    #expect(names(queue.start()) == ["a+"])
    #expect(queue.dropped == 0)
  }

  @Test func `a firing that waits is still run when it is over, and both in order`() {
    var queue = DeliveryQueue()
    queue.add(pending("a", since: 1))
    _ = queue.start()
    queue.add(pending("a", since: 2))
    queue.add(pending("a", .ended(.over), since: 2))
    queue.finish(DeliveryKey("a", .command))
    #expect(drain(&queue) == ["a+", "a-"])
    #expect(queue.isIdle && queue.dropped == 0)
  }

  @Test func `a resolution is run only where it is wanted`() {
    var queue = DeliveryQueue()
    queue.add(pending("a", .ended(.over), onResolve: false))
    queue.add(pending("b", .ended(.over)))
    #expect(drain(&queue) == ["b-"])
    #expect(queue.dropped == 0)
  }

  @Test func `repetitions that wait become the newest`() {
    var queue = DeliveryQueue()
    queue.add(pending("a"))
    _ = queue.start()
    for count in 2...5 { queue.add(pending("a", .goesOn, count: count)) }
    queue.add(pending("a", .goesOn, count: 2, since: 9))
    queue.finish(DeliveryKey("a", .command))
    #expect(drain(&queue) == ["a5", "a2"])
    #expect(queue.dropped == 3)
  }

  @Test func `a repetition says nothing while its firing waits`() {
    var queue = DeliveryQueue()
    queue.add(pending("a", since: 1))
    _ = queue.start()
    queue.add(pending("a", since: 2))
    queue.add(pending("a", .goesOn, count: 2, since: 2))
    queue.finish(DeliveryKey("a", .command))
    #expect(drain(&queue) == ["a+"])
    #expect(queue.dropped == 1)
  }

  @Test func `a full queue drops a repetition first`() {
    var queue = DeliveryQueue(places: 1, capacity: 3)
    queue.add(pending("busy"))
    _ = queue.start()
    for waiting in [pending("a"), pending("b", .goesOn, count: 2), pending("c"), pending("d")] {
      queue.add(waiting)
    }
    queue.finish(DeliveryKey("busy", .command))
    #expect(drain(&queue) == ["a+", "c+", "d+"])
    #expect(queue.dropped == 1)
  }

  @Test func `a crowding rule pays for itself`() {
    var queue = DeliveryQueue(places: 1, capacity: 3)
    queue.add(pending("busy"))
    _ = queue.start()
    for waiting in [pending("a"), pending("b", since: 1), pending("b", since: 2), pending("b", since: 3)] {
      queue.add(waiting)
    }
    queue.finish(DeliveryKey("busy", .command))
    #expect(drain(&queue) == ["a+", "b+", "b+"])
    #expect(queue.dropped == 1)
  }

  @Test func `the resolution of a dropped firing is dropped`() {
    var queue = DeliveryQueue(places: 1, capacity: 1)
    queue.add(pending("busy"))
    _ = queue.start()
    queue.add(pending("a"))
    queue.add(pending("b"))
    queue.add(pending("a", .ended(.over)))
    queue.finish(DeliveryKey("busy", .command))
    #expect(drain(&queue) == ["b+"])
    #expect(queue.dropped == 2)
  }

  @Test func `a pair that waits is dropped as a pair`() {
    var queue = DeliveryQueue(places: 1, capacity: 2)
    queue.add(pending("busy"))
    _ = queue.start()
    queue.add(pending("a"))
    queue.add(pending("a", .ended(.over)))
    queue.add(pending("b"))
    #expect(queue.dropped == 2 && queue.waitingCount == 1)
    queue.finish(DeliveryKey("busy", .command))
    #expect(drain(&queue) == ["b+"])
  }

  @Test func `a resolution that would drop its own firing goes with it`() {
    var queue = DeliveryQueue(places: 1, capacity: 1)
    queue.add(pending("busy"))
    _ = queue.start()
    queue.add(pending("a"))
    queue.add(pending("a", .ended(.over)))
    queue.finish(DeliveryKey("busy", .command))
    #expect(drain(&queue).isEmpty)
    #expect(queue.dropped == 2 && queue.isIdle)
  }

  @Test func `the resolution of a firing that ran makes itself room`() {
    var queue = DeliveryQueue(places: 1, capacity: 1)
    queue.add(pending("a"))
    _ = queue.start()
    queue.add(pending("b"))
    queue.add(pending("a", .ended(.over)))
    queue.finish(DeliveryKey("a", .command))
    #expect(drain(&queue) == ["a-"])
    #expect(queue.dropped == 1)
  }

  @Test func `after a repetition ran the resolution is wanted again`() {
    var queue = DeliveryQueue(places: 1, capacity: 1)
    queue.add(pending("busy"))
    _ = queue.start()
    queue.add(pending("a"))
    queue.add(pending("b"))
    queue.finish(DeliveryKey("busy", .command))
    #expect(drain(&queue) == ["b+"])
    queue.add(pending("a", .goesOn, count: 2))
    #expect(drain(&queue) == ["a2"])
    queue.add(pending("a", .ended(.over)))
    #expect(drain(&queue) == ["a-"])
  }

  @Test func `what waits can be given up`() {
    var queue = DeliveryQueue(places: 1)
    for rule in ["a", "b", "c"] { queue.add(pending(rule)) }
    _ = queue.start()
    #expect(queue.dropWaiting() == 2)
    #expect(queue.dropped == 2 && !queue.isIdle)
    queue.finish(DeliveryKey("a", .command))
    #expect(queue.isIdle)
  }

  @Test(arguments: 1...20)
  func `bounds and pairs hold in any order of things`(seed: UInt64) {
    var random = seed
    func next(_ bound: UInt64) -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (random >> 33) % bound
    }
    var queue = DeliveryQueue(places: 3, capacity: 5)
    var (added, run) = (UInt64(0), UInt64(0))
    var running: [PendingDelivery] = []
    var open: [Notification.Episode: PendingDelivery] = [:]
    var announced: Set<Notification.Episode> = []
    for step in 0..<3000 {
      let key = Notification.Episode(
        rule: "r\(next(6))", subject: "wget", aspect: "received",
        since: Timestamp(seconds: 0, nanoseconds: 5_000_000, utcOffset: 3600))
      switch next(4) {
      case 0, 1:
        let existing = open.first { $0.key.rule == key.rule }
        let new =
          existing.map {
            pending(
              key.rule, next(2) == 0 ? .goesOn : .ended(.over), count: step,
              since: $0.value.episode.since.seconds)
          }
          ?? pending(key.rule, since: Int64(step))
        if new.isEnd { open[new.episode] = nil } else { open[new.episode] = new }
        queue.add(new)
        added += 1
      case 2:
        if !running.isEmpty {
          queue.finish(running.remove(at: Int(next(UInt64(running.count)))).key)
        }
      default:
        for started in queue.start() {
          run += 1
          running.append(started)
          #expect(!started.isEnd || announced.contains(started.episode))
          announced.insert(started.episode)
        }
      }
      #expect(running.count <= 3 && Set(running.map(\.rule)).count == running.count)
      #expect(queue.waitingCount <= 5)
      #expect(added == run + queue.dropped + UInt64(queue.waitingCount))
    }
    #expect(run > 100 && queue.dropped > 0)
  }
}
