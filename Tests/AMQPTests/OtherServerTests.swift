import Lab
import Model
import SystemRuntime
import Testing

@testable import AMQP

/// What listens at the broker's port and is no broker.
@Suite struct OtherServerTests {
  private func failure(at port: UInt16, connect: Duration = .seconds(10)) async throws -> RecordFailure {
    let configuration = RabbitConfiguration(
      host: "127.0.0.1", port: port, user: "guest", password: .init("guest"))
    var limits = RabbitPublisher.Limits()
    limits.connect = connect
    let outcomes = Outcomes()
    let publisher = try outcomes.publisher(configuration, limits: limits)
    defer { publisher.stop() }
    return try await outcomes.failed()
  }

  @Test func `a server of another protocol is a wrong configuration`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let failure = try await failure(at: server.port)
    #expect(
      failure.kind == .configuration && failure.description.contains("does not speak AMQP 0-9-1"),
      "\(failure)")
  }

  @Test func `a server that says nothing is waited for as long as that is allowed`() async throws {
    let listener = try TCPListener(on: Endpoint(address: #require(IPAddress("127.0.0.1")), port: 0))
    let failure = try await failure(at: listener.local.port, connect: .milliseconds(200))
    #expect(failure.kind == .later && failure.description.contains("does not answer in time"), "\(failure)")
  }

  @Test func `an IPv6 address has its brackets`() {
    let configuration = RabbitConfiguration(host: "::1", port: 5672, user: "guest", password: .init("guest"))
    #expect(configuration.broker == "[::1]:5672" && configuration.description == "amqp://guest@[::1]:5672/")
  }
}
