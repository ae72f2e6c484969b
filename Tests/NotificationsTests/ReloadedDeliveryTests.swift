import Curl
import SystemRuntime
import INI
import Lab
import Model
import Synchronization
import Testing

@testable import Notifications

/// What waits for another attempt when the configuration is read again.
@Suite struct ReloadedDeliveryTests {
  /// A web server in a value: what was delivered to it, and whether it takes it.
  private final class Server: Delivery {
    private let state = Mutex<(attempts: Int, delivered: [String])>((0, []))
    private let takes: Bool
    /// While it is not finished an attempt does not end.
    private let gate = AsyncStream.makeStream(of: Void.self)

    init(takes: Bool, isOpen: Bool = true) {
      self.takes = takes
      if isOpen { open() }
    }

    var kind: DeliveryKind { .webhook }
    var deliversEnds: Bool { true }
    var timeLimit: Duration { .seconds(1) }
    var attempts: Int { state.withLock { $0.attempts } }
    var delivered: [String] { state.withLock { $0.delivered } }

    func open() { gate.continuation.finish() }

    func attempt(_ notification: Model.Notification) async -> DeliveryOutcome {
      state.withLock { $0.attempts += 1 }
      for await _ in gate.stream {}
      guard takes else { return .notTaken("it takes nothing.") }
      state.withLock { $0.delivered.append(notification.line) }
      return .succeeded
    }
  }

  private struct Stage {
    var notifier: Notifier
    let warnings: Lines

    init(_ servers: [String: Server]) {
      let lines = Lines()
      warnings = lines
      notifier = Notifier(rules: [], others: Self.deliveries(servers), line: LineDelivery { _ in }) {
        // Whether the end has something to wait for depends on when it comes.
        if $0.code != "notifications_awaited" { lines.append("\($0.code) \($0.text)") }
      }
    }

    static func deliveries(_ servers: [String: Server]) -> [RuleDelivery] {
      servers.map { RuleDelivery(rule: $0.key, delivery: $0.value) }
    }

    /// Has these servers from now on.
    mutating func reload(_ servers: [String: Server]) {
      notifier.reload(rules: [], others: Self.deliveries(servers))
    }
  }

  @Test func `what waits goes to the new server at once, in order, with all attempts`() async throws {
    let (old, new) = (Server(takes: false), Server(takes: true))
    var stage = Stage(["web": old])
    // Its pauses are those of the program: thirty seconds and more.
    let service = stage.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    for count in Int64(1)...3 {
      stage.notifier.submit(sampleNotification(rule: "web", since: count, line: "\(count)"))
    }
    try await wait { old.attempts == 1 && stage.warnings.count == 1 }
    stage.reload(["web": new])
    try await wait { new.delivered.count == 3 }
    #expect(new.delivered == ["1", "2", "3"] && old.attempts == 1)
    stage.notifier.finish()
    await end
    #expect(stage.warnings.count == 1 && stage.notifier.dropped == 0)
  }

  @Test func `an attempt that fails after the reload is repeated with the new server`() async throws {
    let (old, new) = (Server(takes: false, isOpen: false), Server(takes: true))
    var stage = Stage(["web": old])
    let service = stage.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    stage.notifier.submit(sampleNotification(rule: "web", line: "1"))
    try await wait { old.attempts == 1 }
    stage.reload(["web": new, "other": new])
    // That the service has read the reload: a later notification is delivered.
    stage.notifier.submit(sampleNotification(rule: "other", line: "other"))
    try await wait { new.delivered == ["other"] }
    old.open()
    try await wait { stage.warnings.count == 1 }
    // The end makes the pause short.
    stage.notifier.finish()
    await end
    #expect(new.delivered == ["other", "1"] && old.attempts == 1)
  }

  @Test func `a failure with the new server is said as well`() async throws {
    let (old, new) = (Server(takes: false), Server(takes: false))
    var stage = Stage(["web": old])
    let service = stage.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    stage.notifier.submit(sampleNotification(rule: "web"))
    try await wait { stage.warnings.count == 1 }
    stage.reload(["web": new])
    try await wait { stage.warnings.count == 2 }
    #expect(stage.warnings.all.allSatisfy { $0.hasPrefix("notification_failed [web]: it takes nothing.") })
    stage.notifier.finish()
    await end
  }

  @Test func `what no section wants any more is dropped and said, with its end`() async throws {
    let (old, other) = (Server(takes: false), Server(takes: true))
    var stage = Stage(["web": old, "other": other])
    let service = stage.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    stage.notifier.submit(sampleNotification(rule: "web", line: "begin"))
    stage.notifier.submit(sampleNotification(.ended(.over), rule: "web", line: "end"))
    try await wait { stage.warnings.count == 1 }
    stage.reload(["other": other])
    try await wait { stage.warnings.count == 2 }
    #expect(
      stage.warnings.all.last == "notification_dropped [web]: `begin` was not delivered and is dropped: the "
        + "configuration has no webhook for it any more.")
    stage.notifier.submit(sampleNotification(rule: "other", line: "other"))
    stage.notifier.finish()
    await end
    #expect(old.attempts == 1 && other.delivered == ["other"])
    #expect(stage.notifier.dropped == 2)
  }

  @Test func `an attempt that fails after its section has gone is dropped and said`() async throws {
    let (old, other) = (Server(takes: false, isOpen: false), Server(takes: true))
    var stage = Stage(["web": old, "other": other])
    let service = stage.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    stage.notifier.submit(sampleNotification(rule: "web", line: "begin"))
    try await wait { old.attempts == 1 }
    stage.reload(["other": other])
    stage.notifier.submit(sampleNotification(rule: "other", line: "other"))
    try await wait { other.delivered == ["other"] }
    old.open()
    try await wait { stage.warnings.count == 1 }
    #expect(stage.warnings.all[0].hasPrefix("notification_dropped [web]: `begin` was not delivered"))
    stage.notifier.finish()
    await end
    #expect(old.attempts == 1 && stage.notifier.dropped == 1)
  }

  @Test func `the timer of a pause that a reload ended does not shorten the next`() {
    var current = CurrentDeliveries()
    var retries = Retries(RetryPolicy(pauses: [.seconds(1), .seconds(2)]))
    let server = Server(takes: false)
    let key = DeliveryKey("web", .webhook)
    let first = current.submitted(PendingDelivery(notification: sampleNotification(), delivery: server))
    let now = Instant.now
    let isPaused = retries.pause(first, after: .notBegun(""), at: now)
    #expect(isPaused && retries.startTimer() == now + .seconds(1))
    current.use([key: server])
    let again = retries.takeAll().compactMap(current.renewed)
    #expect(again.map(\.attempts) == [0] && again.map(\.generation) == [1])
    let isPausedAgain = again.allSatisfy {
      retries.pause($0, after: .notBegun(""), at: now + .milliseconds(500))
    }
    // The timer that runs ends before the pause; another one is started then.
    #expect(isPausedAgain && retries.startTimer() == nil)
    #expect(retries.end(timer: now + .seconds(1)).isEmpty)
    #expect(retries.startTimer() == now + .milliseconds(1_500))
    #expect(retries.end(timer: now + .milliseconds(1_500)).map(\.attempts) == [1])
  }

  @Test func `a webhook that is corrected gets what waited`() async throws {
    let transfers = try TransferThread()
    let server = try await TestServer("web_server")
    func deliveries(_ path: String) throws -> [RuleDelivery] {
      let text = "[web]\nwebhook=http://127.0.0.1:\(server.port)/\(path)\n"
      let section = try #require(try INIFile(name: "x", bytes: Array(text.utf8)).sections.first)
      let rule = try #require(try WebhookRule(section))
      return [RuleDelivery(rule: "web", delivery: WebhookDelivery(rule, transfers: transfers))]
    }
    let warnings = Lines()
    var notifier = Notifier(rules: [], others: try deliveries("status/503"), line: LineDelivery { _ in }) {
      if $0.code != "notifications_awaited" { warnings.append($0.text) }
    }
    let service = notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    notifier.submit(sampleNotification())
    try await wait { warnings.count == 1 }
    notifier.reload(rules: [], others: try deliveries("hook"))
    let requests = try await server.reports("request", count: 2)
    #expect(requests.first?.contains("/status/503") == true && requests.last?.contains("/hook") == true)
    notifier.finish()
    await end
    #expect(warnings.count == 1)
  }
}
