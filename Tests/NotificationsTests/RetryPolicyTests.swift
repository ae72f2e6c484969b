import Lab
import SystemRuntime
import Foundation
import Model
import Synchronization
import SystemPackage
import Testing

@testable import Notifications

@Suite struct RetryPolicyTests {
  @Test(arguments: [
    (1, Duration.milliseconds(250)), (2, .milliseconds(500)), (3, .seconds(1)), (4, .seconds(2)),
    (5, .seconds(4)), (6, nil), (7, nil), (0, nil), (-1, nil), (.max, nil),
  ])
  func `what has not begun is tried six times, with pauses that double`(attempts: Int, pause: Duration?) {
    #expect(RetryPolicy.standard.pause(after: .notBegun("why"), attempts: attempts) == pause)
  }

  @Test(arguments: [DeliveryOutcome.succeeded, .failed("why"), .abandoned], 1...6)
  func `what has begun is never tried again`(outcome: DeliveryOutcome, attempts: Int) {
    #expect(RetryPolicy.standard.pause(after: outcome, attempts: attempts) == nil)
  }

  @Test(arguments: [
    (Errno.resourceTemporarilyUnavailable, true), (.noMemory, true), (.tooManyOpenFiles, true),
    (.tooManyOpenFilesInSystem, true), (.textFileBusy, true), (.noSuchFileOrDirectory, false),
    (.permissionDenied, false), (.notPermitted, false), (.argListTooLong, false), (.execFormatError, false),
    (.invalidArgument, false), (.interrupted, false), (.ioError, false), (.tooManySymbolicLinkLevels, false),
  ])
  func `an error passes or not`(error: Errno, passes: Bool) {
    #expect(RetryPolicy.isPassing(error) == passes)
  }

  @Test(arguments: [
    (CommandOutcome.succeeded, false), (.failed(status: 11), false), (.killed(signal: 9), false),
    (.timedOut, false), (.notFound, false), (.notStarted("E2BIG"), false),
    (.notStarted("EAGAIN", isPassing: true), true), (.abandoned, false),
  ])
  func `a command that started is never run again`(outcome: CommandOutcome, isTriedAgain: Bool) {
    let delivery = outcome.delivery(by: CommandRule(rule: "web", words: ["mail"]))
    #expect((RetryPolicy.standard.pause(after: delivery, attempts: 1) != nil) == isTriedAgain)
  }

  @Test func `a pause is once, and the end is the end of all pauses`() {
    var retries = Retries(RetryPolicy(pauses: [.seconds(1), .seconds(2)]))
    let deliveries = ["a", "b"].map {
      PendingDelivery(notification: sampleNotification(rule: $0), delivery: LineDelivery { _ in })
    }
    let now = Instant.now
    func pause(_ pending: PendingDelivery, _ outcome: DeliveryOutcome = .notBegun("why")) -> Bool {
      retries.pause(pending, after: outcome, at: now)
    }
    let isFinal = !pause(deliveries[0], .failed("why"))
    #expect(isFinal && retries.startTimer() == nil)
    let isPaused = pause(deliveries[0])
    #expect(isPaused && retries.startTimer() == now + .seconds(1) && retries.startTimer() == nil)
    let again = retries.end(timer: now + .seconds(1))
    #expect(again.map(\.rule) == ["a"] && again.map(\.attempts) == [1] && retries.timers.isEmpty)
    let isPausedAgain = pause(again[0])
    #expect(isPausedAgain && retries.startTimer() == now + .seconds(2))
    // It ends earlier than what runs.
    let isOther = pause(deliveries[1])
    #expect(isOther && retries.startTimer() == now + .seconds(1))
    let rest = retries.close()
    #expect(rest.map(\.rule) == ["a", "b"] && rest.map(\.attempts) == [2, 1])
    #expect(retries.close().isEmpty && retries.end(timer: now + .seconds(1)).isEmpty)
    for pending in rest {
      let isAgain = pause(pending)
      #expect(!isAgain)
    }
  }

  @Test func `after the last pause there is none`() {
    var retries = Retries(RetryPolicy(pauses: [.seconds(1)]))
    let pending = PendingDelivery(notification: sampleNotification(), delivery: LineDelivery { _ in })
    let now = Instant.now
    let isFirst = retries.pause(pending, after: .notBegun("why"), at: now)
    let again = retries.end(timer: now + .seconds(1))
    #expect(isFirst && again.count == 1)
    let isSecond = retries.pause(again[0], after: .notBegun("why"), at: now)
    #expect(!isSecond)
  }

  @Test func `however often pauses are ended early, there are no more timers than different pauses`() {
    var random = SplitMix64(seed: 3)
    let policy = RetryPolicy(pauses: [.seconds(1), .seconds(10), .seconds(100)])
    var retries = Retries(policy)
    var now = Instant.now
    for round in 0..<2_000 {
      let due = retries.timers.filter { $0 <= now }
      for timer in due { _ = retries.end(timer: timer) }
      var pending = PendingDelivery(
        notification: sampleNotification(rule: "\(round % 7)"), delivery: LineDelivery { _ in })
      pending.attempts = Int.random(in: 0..<3, using: &random)
      _ = retries.pause(pending, after: .notBegun("why"), at: now)
      while retries.startTimer() != nil {}
      #expect(retries.timers.count <= policy.pauses.count)
      // As a reload does.
      if round % 3 == 0 { _ = retries.takeAll() }
      now += .milliseconds(Int.random(in: 0...900, using: &random))
    }
  }
}

/// Deliveries that do not begin, in a service.
@Suite struct RetryTests {
  /// Fails as often as it is told, then notes what it delivers.
  private final class Reluctant: Delivery {
    private let state: Mutex<(left: Int, attempts: Int, delivered: [String])>
    private let outcome: DeliveryOutcome

    init(failures: Int, _ outcome: DeliveryOutcome = .notBegun("why:")) {
      state = Mutex((failures, 0, []))
      self.outcome = outcome
    }

    var kind: DeliveryKind { .command }
    var deliversEnds: Bool { true }
    var timeLimit: Duration { .seconds(1) }
    var attempts: Int { state.withLock { $0.attempts } }
    var delivered: [String] { state.withLock { $0.delivered } }

    func attempt(_ notification: Model.Notification) async -> DeliveryOutcome {
      if Task.isCancelled { return .abandoned }
      return state.withLock { state in
        state.attempts += 1
        guard state.left == 0 else {
          state.left -= 1
          return outcome
        }
        state.delivered.append(notification.line)
        return .succeeded
      }
    }
  }

  private struct Stage {
    let service: DeliveryService
    let submitted: AsyncStream<DeliveryOrder>.Continuation
    let drops = DropCounter()
    let warnings = Lines()

    init(pauses: [Duration]) {
      let (stream, continuation) = AsyncStream.makeStream(of: DeliveryOrder.self)
      submitted = continuation
      service = DeliveryService(
        submitted: stream, drops: drops, warn: { [warnings] in warnings.append($0.text) },
        policy: RetryPolicy(pauses: pauses))
    }

    func submit(_ line: String, rule: String = "web", to delivery: any Delivery, since: Int64 = 0) {
      drops.countSubmitted()
      submitted.yield(
        .deliver(
          PendingDelivery(
            notification: sampleNotification(rule: rule, since: since, line: line), delivery: delivery)))
    }
  }

  @Test func `what begins at last is delivered once and in order, and is no failure`() async throws {
    let stage = Stage(pauses: Array(repeating: .milliseconds(1), count: 3))
    let delivery = Reluctant(failures: 3)
    async let end: Void = stage.service.run(drainTime: .seconds(600))
    for count in 1...5 { stage.submit("\(count)", to: delivery, since: Int64(count)) }
    try await wait { delivery.delivered.count == 5 }
    stage.submitted.finish()
    await end
    #expect(delivery.delivered == ["1", "2", "3", "4", "5"] && delivery.attempts == 8)
    #expect(stage.warnings.all.isEmpty && stage.drops.total == 0)
  }

  @Test func `what never begins is one failure, and the next has its own attempts`() async throws {
    let stage = Stage(pauses: Array(repeating: .milliseconds(1), count: 3))
    let delivery = Reluctant(failures: 8)
    async let end: Void = stage.service.run(drainTime: .seconds(600))
    for count in 1...3 { stage.submit("\(count)", to: delivery, since: Int64(count)) }
    try await wait { delivery.delivered.count == 1 }
    stage.submitted.finish()
    await end
    #expect(delivery.delivered == ["3"] && delivery.attempts == 9)
    #expect(stage.warnings.all == ["[web]: why: This is said once until it succeeds."])
  }

  @Test func `what failed after it began is not tried again`() async {
    let stage = Stage(pauses: Array(repeating: .milliseconds(1), count: 3))
    let delivery = Reluctant(failures: 1, .failed("why:"))
    stage.submit("1", to: delivery)
    stage.submitted.finish()
    await stage.service.run(drainTime: .seconds(600))
    #expect(delivery.delivered.isEmpty && delivery.attempts == 1)
  }

  @Test func `a pause holds up no other rule`() async throws {
    let stage = Stage(pauses: [.seconds(600)])
    let (slow, quick) = (Reluctant(failures: 1), Reluctant(failures: 0))
    async let end: Void = stage.service.run(drainTime: .seconds(600))
    stage.submit("slow", rule: "slow", to: slow)
    try await wait { slow.attempts == 1 }
    stage.submit("quick", rule: "quick", to: quick)
    try await wait { quick.delivered == ["quick"] }
    #expect(slow.delivered.isEmpty)
    // The end waits for no pause: what waits in one has its last attempt at once.
    stage.submitted.finish()
    await end
    #expect(slow.delivered == ["slow"] && slow.attempts == 2)
  }

  @Test func `a cancelled service has no pauses`() async throws {
    let stage = Stage(pauses: [.seconds(600)])
    let delivery = Reluctant(failures: 1)
    stage.submit("1", to: delivery)
    try await withThrowingTaskGroup { group in
      group.addTask { await stage.service.run() }
      try await wait { delivery.attempts == 1 }
      group.cancelAll()
      try await group.waitForAll()
    }
    #expect(delivery.delivered.isEmpty && delivery.attempts == 1)
  }
}
