import Lab
import Model
import Testing

@testable import AMQP

/// A real RabbitMQ that is not always well: one broker for all, one test after the other.
@Suite(.rabbitServer, .serialized) struct OutageTests {
  private let server: RabbitServer

  init() throws { server = try #require(RabbitServer.current) }

  @Test func `a broker that is killed in the middle gets all records, once it is back`() async throws {
    let queue = RabbitConfiguration(server, queue: "killed")
    let (outcomes, impatient, patient) = (Outcomes(), Outcomes(), Outcomes())
    let publisher = try outcomes.publisher(queue)
    var limits = RabbitPublisher.Limits()
    limits.unconfirmed = .seconds(3)
    let second = try impatient.publisher(RabbitConfiguration(server, queue: "away"), limits: limits)
    second.submit(.numbered(1), number: 1)
    _ = try await impatient.delivered(count: 1)
    var count = 300
    for number in 1...count { publisher.submit(.numbered(number, size: 5000), number: UInt64(number)) }
    _ = try await outcomes.delivered(count: 100)
    try await server.keepQueues()
    async let killed: Void = server.kill()
    // Some are always under way until the connection is lost.
    while outcomes.notices.isEmpty, outcomes.failure == nil {
      if count - outcomes.delivered.count < 1000 {
        for number in count + 1...count + 100 {
          publisher.submit(.numbered(number, size: 5000), number: UInt64(number))
        }
        count += 100
      }
      try await Task.sleep(for: .milliseconds(1))
    }
    try await killed
    // At least this one has to wait for the broker.
    count += 1
    publisher.submit(.numbered(count, size: 5000), number: UInt64(count))
    #expect(try await outcomes.notice().contains("this is tried again"))
    // One that was connected has a limit; one that was not fails at once, or waits if it may.
    second.submit(.numbered(2), number: 2)
    let away = try await impatient.failed()
    #expect(
      away.kind == .later
        && away.description.contains("cannot be reached, and has confirmed no message for 3 s"))
    let refused = try await Self.failure(at: queue)
    #expect(refused.kind == .later && refused.description.contains("does not take a connection"))
    (limits.unconfirmed, limits.waitsForFirst) = (nil, true)
    let third = try patient.publisher(RabbitConfiguration(server, queue: "away"), limits: limits)
    third.submit(.numbered(3), number: 3)
    #expect(try await patient.notice().contains("cannot be connected to (no connection can be made)"))
    try await server.restart()
    #expect(try await patient.delivered(count: 1) == [3] && patient.notices.count == 1)
    #expect(try await outcomes.delivered(count: count).sorted() == (1...UInt64(count)).map { $0 })
    #expect(outcomes.notices.count == 1 && outcomes.failure == nil)
    try await expectAll(count, in: "killed")
  }

  /// Each record is there, and what is there more than once has the same id and body.
  private func expectAll(_ count: Int, in queue: String) async throws {
    var digests: [String: Set<String>] = [:]
    for message in try await server.drain(queue) {
      digests[message.id ?? "", default: []].insert(message.digest)
    }
    #expect(Set(digests.keys) == Set((1...count).map { "id-\($0)" }))
    #expect(digests.values.allSatisfy { $0.count == 1 })
  }

  private static func failure(at configuration: RabbitConfiguration) async throws -> RecordFailure {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(configuration)
    defer { publisher.stop() }
    return try await outcomes.failed()
  }

  @Test func `a connection that the broker closes is made again`() async throws {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "closed"))
    publisher.submit(.numbered(1), number: 1)
    _ = try await outcomes.delivered(count: 1)
    try await server.control("close_all_connections maintenance")
    #expect(
      try await outcomes.notice().contains("has lost the connection (320 CONNECTION_FORCED - maintenance)"))
    publisher.submit(.numbered(2), number: 2)
    #expect(try await outcomes.delivered(count: 2) == [1, 2])
    publisher.stop(waiting: patience)
  }

  @Test func `a broker that wants small frames gets them`() async throws {
    try await server.control("eval application:set_env(rabbit,frame_max,4096).")
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "small"))
    publisher.submit(.numbered(1, size: 100_000), number: 1)
    _ = try await outcomes.delivered(count: 1)
    #expect(try await server.drain("small").map(\.count) == [100_000])
    let headers = (1...15).map { Record.Header("h\($0)", .text(String(repeating: "x", count: 250))) }
    publisher.submit(Record(id: "i", body: [], time: 1, headers: headers), number: 2)
    #expect(try await outcomes.refused(count: 1)[0].failure.kind == .data)
    try await server.control("eval application:set_env(rabbit,frame_max,131072).")
  }

  @Test func `a record that is too long for the broker stops no others`() async throws {
    try await server.control("eval application:set_env(rabbit,max_message_size,100000).")
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "sizes"))
    for number in 1...20 {
      publisher.submit(
        .numbered(number, size: number % 5 == 0 ? 150_000 + number : 1000), number: UInt64(number))
    }
    let refused = try await outcomes.refused(count: 4)
    #expect(Set(refused.map(\.number)) == [5, 10, 15, 20])
    #expect(refused.allSatisfy { $0.failure.kind == .data && $0.failure.description.contains("406") })
    _ = try await outcomes.delivered(count: 16)
    #expect(outcomes.failure == nil && outcomes.notices.isEmpty)
    publisher.stop()
    #expect(Set(try await server.drain("sizes").compactMap(\.id)).count == 16)
    try await server.control("eval application:set_env(rabbit,max_message_size,134217728).")
  }

  @Test func `a publisher ends in the middle of a message that the broker does not take`() async throws {
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(RabbitConfiguration(server, queue: "ended"))
    publisher.submit(.numbered(1), number: 1)
    _ = try await outcomes.delivered(count: 1)
    try await server.control("set_vm_memory_high_watermark absolute 1")
    for number in 2...9 { publisher.submit(.numbered(number, size: 4_000_000), number: UInt64(number)) }
    _ = try await outcomes.notice()
    publisher.stop(waiting: patience)
    #expect(outcomes.delivered == [1] && outcomes.failure == nil)
    try await server.control("set_vm_memory_high_watermark 0.4")
  }

  @Test func `a broker that blocks is waited for, within a limit`() async throws {
    let outcomes = Outcomes()
    let impatient = Outcomes()
    var limits = RabbitPublisher.Limits()
    limits.blocked = .seconds(1)
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
