import Lab
import Model
import Testing

@testable import AMQP

/// Records to a real RabbitMQ that is well: one broker for all, each test with queues of its own.
@Suite(.rabbitServer) struct BrokerTests {
  private let server: RabbitServer

  init() throws { server = try #require(RabbitServer.current) }

  @Test func `records arrive once and with all that they say`() async throws {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "thousand"))
    for number in 1...1000 { publisher.submit(.numbered(number, size: 100_000), number: UInt64(number)) }
    #expect(try await outcomes.delivered(count: 1000).sorted() == (1...1000).map { UInt64($0) })
    publisher.stop()
    let messages = try await server.drain("thousand")
    #expect(messages.map(\.id) == (1...1000).map { "id-\($0)" })
    #expect(Set(messages.map(\.digest)).count == 26)
    for (index, message) in messages.enumerated() {
      let number = index + 1
      #expect(message.mode == 2 && message.type == "application/json" && message.app == "bwmon-test")
      #expect(message.time == 1_700_000_000 + Int64(number) && message.count == 100_000)
      #expect(message.headers == ["x-source": .text("a/b.out"), "x-rows": .number(Int64(number))])
    }
    #expect(outcomes.notices.isEmpty && outcomes.failure == nil)
  }

  @Test func `a record's own routing key comes before the configuration's`() async throws {
    try await server.exchange("events")
    for queue in ["all", "alerts"] { try await server.declare(queue) }
    try await server.bind("all", to: "events", key: "bwmon.#")
    try await server.bind("alerts", to: "events", key: "bwmon.*.alert")
    let outcomes = Outcomes()
    var configuration = RabbitConfiguration(server, queue: nil)
    configuration.exchange = "events"
    configuration.routingKey = "bwmon.none"
    let publisher = try outcomes.publisher(configuration)
    publisher.submit(.numbered(1, key: "bwmon.here.alert"), number: 1)
    publisher.submit(.numbered(2), number: 2)
    // An empty body, and none of the properties that a record may lack.
    publisher.submit(Record(id: "", body: [], time: 0, routingKey: "bwmon.empty"), number: 3)
    #expect(try await outcomes.delivered(count: 3).sorted() == [1, 2, 3])
    #expect(try await server.drain("all").map(\.key) == ["bwmon.here.alert", "bwmon.none", "bwmon.empty"])
    #expect(try await server.drain("alerts").map(\.key) == ["bwmon.here.alert"])
  }

  @Test func `an unroutable record is not delivered though the broker acknowledges it`() async throws {
    try await server.exchange("empty")
    let outcomes = Outcomes()
    var configuration = RabbitConfiguration(server, queue: nil)
    configuration.exchange = "empty"
    let publisher = try outcomes.publisher(configuration)
    publisher.submit(.numbered(7, size: 300_000, key: "nobody"), number: 7)
    let refused = try await outcomes.refused(count: 1)
    #expect(refused[0].number == 7 && refused[0].failure.kind == .later && outcomes.delivered.isEmpty)
    #expect(
      refused[0].failure.description
        == "a message is unroutable: the exchange \"empty\" of 127.0.0.1:\(server.port) has no queue for the routing key"
        + " \"nobody\" (NO_ROUTE): bind a queue to it with that key, or correct exchange and routing_key in [rabbit]."
    )
    // Others go on, by the same connection.
    try await server.declare("somebody")
    try await server.bind("somebody", to: "empty", key: "somebody")
    for number in 8...10 {
      publisher.submit(.numbered(number, key: number == 9 ? "x" : "somebody"), number: UInt64(number))
    }
    #expect(try await outcomes.delivered(count: 2) == [8, 10])
    #expect(try await outcomes.refused(count: 2).map(\.number) == [7, 9])
    #expect(outcomes.notices.isEmpty && outcomes.failure == nil)
    publisher.stop()
    #expect(try await server.drain("somebody").map(\.id) == ["id-8", "id-10"])
  }

  @Test(arguments: RabbitConfiguration.Declaration.allCases)
  func `a queue that is absent`(declaration: RabbitConfiguration.Declaration) async throws {
    let queue = "absent-\(declaration)"
    let outcomes = Outcomes()
    var configuration = RabbitConfiguration(server, queue: queue)
    configuration.declaration = declaration
    let publisher = try outcomes.publisher(configuration)
    publisher.submit(.numbered(1), number: 1)
    switch declaration {
    case .auto, .active:
      #expect(try await outcomes.delivered(count: 1) == [1])
      #expect(try await server.count(queue) == 1)
    case .passive:
      let failure = try await outcomes.failed()
      #expect(
        failure.kind == .configuration && failure.description.contains("has no queue \"absent-passive\""))
      #expect(try await server.count(queue) == nil)
    case .none:
      let failure = try await outcomes.refused(count: 1)[0].failure
      #expect(failure.kind == .later && failure.description.contains("unroutable: the default exchange"))
    }
  }

  @Test(arguments: [["x-queue-type": "quorum"], ["x-queue-mode": "lazy"]])
  func `a queue that is there with other properties`(arguments: [String: String]) async throws {
    let queue = "there-\(arguments.values.first ?? "")"
    try await server.declare(queue, arguments)
    var configuration = RabbitConfiguration(server, queue: queue)
    configuration.queueOptions = .init()
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(configuration)
    publisher.submit(.numbered(1), number: 1)
    #expect(try await outcomes.delivered(count: 1) == [1])
    configuration.declaration = .active
    let others = Outcomes()
    let second = try others.publisher(configuration)
    let failure = try await others.failed()
    #expect(failure.kind == .configuration && failure.description.contains("406"), "\(failure)")
    second.stop()
    try await server.delete(queue)
  }

  @Test func `a full queue that rejects refuses for now`() async throws {
    try await server.declare("full", ["x-max-length": 2, "x-overflow": "reject-publish"])
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "full"))
    for number in 1...2 { publisher.submit(.numbered(number), number: UInt64(number)) }
    _ = try await outcomes.delivered(count: 2)
    publisher.submit(.numbered(3), number: 3)
    let failure = try await outcomes.refused(count: 1)[0].failure
    #expect(failure.kind == .later && failure.description.contains("nack") && outcomes.delivered.count == 2)
    #expect(try await server.drain("full").count == 2)
    publisher.submit(.numbered(3), number: 3)
    #expect(try await outcomes.delivered(count: 3) == [1, 2, 3])
  }

  /// What is wrong in a configuration, the kind of the failure, and words of its sentence.
  static let wrong: [(@Sendable (inout RabbitConfiguration) -> Void, RecordFailure.Kind, String)] = [
    ({ $0.password = .init("secret") }, .configuration, "refuses the login of \"guest\" (403 ACCESS_REFUSED"),
    ({ $0.user = "no\u{1b}body" }, .configuration, "refuses the login of \"no\\ebody\""),
    ({ $0.vhost = "/other" }, .configuration, "use the virtual host \"/other\" (530"),
    ({ $0.exchange = "missing" }, .configuration, "has no exchange \"missing\" (404"),
    ({ $0.host = "no-such-host.invalid" }, .configuration, "the host \"no-such-host.invalid\" is not known"),
    ({ $0.port = 1 }, .later, "127.0.0.1:1 does not take a connection: start RabbitMQ there"),
    ({ $0.tls = .init() }, .configuration, "does not agree on TLS"),
  ]

  @Test(arguments: wrong.indices)
  func `what is wrong is said in a sentence`(index: Int) async throws {
    let (change, kind, words) = Self.wrong[index]
    var configuration = RabbitConfiguration(server, queue: "wrong")
    change(&configuration)
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(configuration)
    publisher.submit(.numbered(1), number: 1)
    let failure = try await outcomes.failed()
    #expect(failure.kind == kind && failure.description.contains(words), "\(failure)")
    #expect(failure.description.hasSuffix(".") && !failure.description.contains("secret"))
    #expect(outcomes.delivered.isEmpty && outcomes.notices.isEmpty)
  }

  @Test func `a record that AMQP cannot carry is said to be so, and others go on`() async throws {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "long"))
    let records = [
      Record(id: String(repeating: "i", count: 256), body: [1], time: 1),
      Record(
        id: "i", body: [1], time: 1, headers: [.init("h", .text(String(repeating: "h", count: 40_000)))]),
      Record.numbered(3),
      Record(id: "i", body: [1], time: 1, routingKey: String(repeating: "k", count: 256)),
      Record.numbered(5),
    ]
    for (number, record) in records.enumerated() { publisher.submit(record, number: UInt64(number + 1)) }
    #expect(try await outcomes.delivered(count: 2) == [3, 5])
    let refused = try await outcomes.refused(count: 3)
    #expect(refused.map(\.number) == [1, 2, 4] && refused.allSatisfy { $0.failure.kind == .data })
    publisher.stop()
    #expect(try await server.drain("long").map(\.id) == ["id-3", "id-5"])
  }

  @Test func `a connection that has nothing to say lives, and a new record has all its time`() async throws {
    var configuration = RabbitConfiguration(server, queue: "idle")
    configuration.heartbeat = 1
    let outcomes = Outcomes()
    var limits = RabbitPublisher.Limits()
    limits.unconfirmed = .milliseconds(3500)
    let publisher = try outcomes.publisher(configuration, limits: limits)
    publisher.submit(.numbered(1), number: 1)
    _ = try await outcomes.delivered(count: 1)
    // The broker ends a connection that is silent for two heartbeats: this is a wait for what must not happen.
    try await Task.sleep(for: .seconds(4))
    publisher.submit(.numbered(2), number: 2)
    #expect(try await outcomes.delivered(count: 2) == [1, 2])
    #expect(outcomes.notices.isEmpty && outcomes.failure == nil)
  }

  @Test func `nothing is reported after the end`() async throws {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "stopped"))
    publisher.submit(.numbered(1), number: 1)
    _ = try await outcomes.delivered(count: 1)
    publisher.stop()
    publisher.submit(.numbered(2), number: 2)
    #expect(try await server.count("stopped") == 1 && outcomes.delivered == [1] && outcomes.failure == nil)
  }
}
