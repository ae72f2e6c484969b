import Lab
import Model
import Testing

@testable import AMQP

extension BrokerTests {
  /// A broker whose certificate is for `localhost` alone, and is its own authority.
  @Suite struct TLSTests {
    private let server: RabbitServer

    init() throws { server = try #require(RabbitServer.current) }

    private func publish(_ queue: String, _ change: (inout RabbitConfiguration) -> Void) async throws
      -> RecordFailure?
    {
      var configuration = RabbitConfiguration(tls: server, queue: queue)
      change(&configuration)
      let outcomes = Outcomes()
      let publisher = try outcomes.publisher(configuration)
      publisher.submit(.numbered(1, size: 200_000), number: 1)
      return try await eventually("an outcome") {
        outcomes.failure.map { Optional.some($0) } ?? (outcomes.delivered.isEmpty ? nil : .some(nil))
      }
    }

    @Test func `records arrive by TLS`() async throws {
      #expect(try await publish("tls") { _ in } == nil)
      #expect(try await server.drain("tls").map(\.count) == [200_000])
    }

    @Test func `another name may be verified`() async throws {
      #expect(
        try await publish("tls-name") {
          $0.host = "127.0.0.1"
          $0.tls?.serverName = "localhost"
        } == nil)
    }

    @Test func `verification may be switched off`() async throws {
      #expect(
        try await publish("tls-any") {
          $0.host = "127.0.0.1"
          $0.tls?.authorities = nil
          $0.tls?.verifies = false
        } == nil)
    }

    @Test func `TLS 1.2 with a cipher of one's choice`() async throws {
      #expect(
        try await publish("tls-1.2") {
          $0.tls?.isOnlyTLS12 = true
          $0.tls?.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"
        } == nil)
    }

    @Test func `a certificate of one's own is shown with its key`() async throws {
      let files = (server.certificate, server.key)
      #expect(
        try await publish("tls-own") {
          $0.tls?.certificate = files.0
          $0.tls?.key = files.1
        } == nil)
      let failure = try #require(
        try await publish("tls-own") {
          $0.tls?.certificate = files.0
        })
      #expect(
        failure.description.contains(
          "keyfile in [ssl_options] cannot be used (nothing of that kind is in it)"), "\(failure)")
    }

    static let wrong: [(@Sendable (inout RabbitConfiguration) -> Void, String)] = [
      ({ $0.tls?.authorities = nil }, "no valid certificate for localhost (self-signed certificate)"),
      ({ $0.host = "127.0.0.1" }, "no valid certificate for 127.0.0.1 (IP address mismatch)"),
      (
        { $0.tls?.serverName = "other.example" }, "no valid certificate for other.example (hostname mismatch)"
      ),
      (
        { $0.tls?.authorities = "/no/such/file" },
        "ca_certs in [ssl_options] cannot be used (No such file or directory)"
      ),
      ({ $0.tls?.authorities = "/dev/null" }, "ca_certs in [ssl_options] cannot be used"),
      (
        { $0.tls?.certificate = "/no/such/file" },
        "certfile in [ssl_options] cannot be used (No such file or directory)"
      ),
      ({ $0.tls?.ciphers = "nonsense" }, "ciphers in [ssl_options] cannot be used (no cipher match)"),
    ]

    @Test(arguments: wrong.indices)
    func `what is wrong with TLS is said in a sentence`(index: Int) async throws {
      let (change, words) = Self.wrong[index]
      let failure = try #require(try await publish("tls-wrong", change))
      #expect(failure.kind == .configuration && failure.description.contains(words), "\(failure)")
    }

    @Test func `a port that speaks TLS alone is named as such`() async throws {
      let failure = try #require(try await publish("tls-plain") { $0.tls = nil })
      #expect(failure.kind == .later && failure.description.contains("use_ssl=yes"), "\(failure)")
    }
  }
}
