import AMQP
import Lab
import Model
import Testing

/// A real RabbitMQ that is not always well: one broker for all, one test after the other.
@Suite(.rabbitServer, .serialized) struct OutageTests {
  private let server: RabbitServer

  init() throws { server = try #require(RabbitServer.current) }

  @Test func `a broker that is killed in the middle gets all records`() async throws {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "killed"))
    let count = 3000
    for number in 1...count { publisher.submit(.numbered(number, size: 5000), number: UInt64(number)) }
    _ = try await outcomes.delivered(count: 200)
    try await server.kill()
    let before = outcomes.delivered.count
    #expect(before < count)
    #expect(try await outcomes.notice().contains("this is tried again"))
    try await server.restart()
    #expect(try await outcomes.delivered(count: count).sorted() == (1...UInt64(count)).map { $0 })
    #expect(outcomes.notices.count == 1 && outcomes.failure == nil)
    let messages = try await server.drain("killed")
    var digests: [String: Set<String>] = [:]
    for message in messages { digests[message.id ?? "", default: []].insert(message.digest) }
    #expect(Set(digests.keys) == Set((1...count).map { "id-\($0)" }))
    #expect(digests.values.allSatisfy { $0.count == 1 })
  }

  @Test func `a broker that stays away is a failure for later`() async throws {
    let outcomes = Outcomes()
    var limits = RabbitPublisher.Limits()
    limits.unconfirmed = .milliseconds(1500)
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "away"), limits: limits)
    publisher.submit(.numbered(1), number: 1)
    _ = try await outcomes.delivered(count: 1)
    try await server.kill()
    publisher.submit(.numbered(2), number: 2)
    let failure = try await outcomes.failed()
    #expect(failure.kind == .later, "\(failure)")
    #expect(
      failure.description.contains("cannot be reached, and has confirmed no message for 1.5 s"), "\(failure)")
    // One that does not wait for the first connection fails at once, one that waits gets it.
    let refused = try await Self.failure(at: RabbitConfiguration(server, queue: "away"))
    #expect(refused.kind == .later && refused.description.contains("does not take a connection"))
    let others = Outcomes()
    limits = RabbitPublisher.Limits()
    (limits.unconfirmed, limits.waitsForFirst) = (nil, true)
    let patient = try others.publisher(RabbitConfiguration(server, queue: "away"), limits: limits)
    patient.submit(.numbered(3), number: 3)
    #expect(try await others.notice().contains("cannot be connected to (no connection can be made)"))
    try await server.restart()
    #expect(try await others.delivered(count: 1) == [3] && others.notices.count == 1)
  }

  private static func failure(at configuration: RabbitConfiguration) async throws -> RecordFailure {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(configuration)
    defer { publisher.stop() }
    return try await outcomes.failed()
  }

  @Test func `a broker that blocks is waited for, within a limit`() async throws {
    let outcomes = Outcomes()
    let impatient = Outcomes()
    var limits = RabbitPublisher.Limits()
    limits.blocked = .seconds(1)
    limits.unconfirmed = .milliseconds(500)
    let configuration = RabbitConfiguration(server, queue: "blocked")
    let publisher = try outcomes.publisher(configuration)
    let second = try impatient.publisher(configuration, limits: limits)
    publisher.submit(.numbered(1), number: 1)
    second.submit(.numbered(2), number: 2)
    _ = try await outcomes.delivered(count: 1)
    _ = try await impatient.delivered(count: 1)
    try await server.control("set_vm_memory_high_watermark absolute 1")
    // A broker blocks a connection when it publishes.
    for number in 3...6 { publisher.submit(.numbered(number, size: 2_000_000), number: UInt64(number)) }
    second.submit(.numbered(7), number: 7)
    #expect(
      try await outcomes.notice().contains(
        "takes no messages for now (low on memory): this waits for at most 60 s"))
    let failure = try await impatient.failed()
    #expect(
      failure.kind == .later && failure.description.contains("has taken no messages for 1 s"), "\(failure)")
    #expect(outcomes.delivered == [1] && outcomes.failure == nil)
    try await server.control("set_vm_memory_high_watermark 0.4")
    #expect(try await outcomes.delivered(count: 5).sorted() == [1, 3, 4, 5, 6])
    #expect(outcomes.notices.count == 1)
  }
}
