import Lab
import Model
import Synchronization
import Testing

@testable import AMQP

/// What a publisher has reported so far.
final class Outcomes: Sendable {
  private let all = Mutex<[RecordOutcome]>([])

  /// Starts a publisher that reports here.
  func publisher(
    _ configuration: RabbitConfiguration, limits: RabbitPublisher.Limits = RabbitPublisher.Limits()
  ) throws -> RabbitPublisher {
    try RabbitPublisher(configuration, appID: "bwmon-test", version: "1", limits: limits) { outcome in
      self.all.withLock { $0.append(outcome) }
    }
  }

  var delivered: [UInt64] {
    all.withLock { $0.compactMap { if case .delivered(let number) = $0 { number } else { nil } } }
  }

  var notices: [String] {
    all.withLock { $0.compactMap { if case .notice(let text) = $0 { text } else { nil } } }
  }

  /// The numbers of what was refused, and why.
  var refused: [(number: UInt64, failure: RecordFailure)] {
    all.withLock {
      $0.compactMap { if case .refused(let number, let why) = $0 { (number, why) } else { nil } }
    }
  }

  var failure: RecordFailure? {
    all.withLock { $0.compactMap { if case .failed(let failure) = $0 { failure } else { nil } }.first }
  }

  /// Waits until so many were delivered.
  func delivered(count: Int) async throws -> [UInt64] {
    try await eventually(
      "\(count) deliveries", state: { "\(delivered.count), \(notices), \(failure as Any)" }
    ) {
      let numbers = delivered
      if numbers.count < count, let failure { throw failure }
      return numbers.count >= count ? numbers : nil
    }
  }

  /// Waits for a notice.
  func notice() async throws -> String {
    try await eventually("a notice", state: { "\(failure as Any)" }) { notices.first }
  }

  /// Waits until so many were refused.
  func refused(count: Int) async throws -> [(number: UInt64, failure: RecordFailure)] {
    try await eventually("\(count) refusals", state: { "\(delivered.count), \(notices), \(failure as Any)" })
    {
      let refused = refused
      if refused.count < count, let failure { throw failure }
      return refused.count >= count ? refused : nil
    }
  }

  /// Waits for the failure.
  func failed() async throws -> RecordFailure {
    try await eventually("a failure", state: { "\(delivered.count) deliveries, \(notices)" }) { failure }
  }
}

extension RabbitConfiguration {
  /// A broker's of the tests, with a queue that is reached by the default exchange.
  init(_ server: RabbitServer, queue: String?) {
    self.init(host: "127.0.0.1", port: server.port, user: "guest", password: Password("guest"))
    self.queue = queue
    routingKey = queue
    queueOptions.isDurable = true
  }

  /// The same with TLS, for the name that the certificate has.
  init(tls server: RabbitServer, queue: String?) {
    self.init(host: "localhost", port: server.tlsPort, user: "guest", password: Password("guest"))
    self.queue = queue
    routingKey = queue
    queueOptions.isDurable = true
    var tls = TLS()
    tls.authorities = server.certificate
    self.tls = tls
  }
}

extension Record {
  /// A record of a test: its number, `size` bytes.
  static func numbered(_ number: Int, size: Int = 20, key: String? = nil) -> Record {
    Record(
      id: "id-\(number)", body: Array(repeating: UInt8(ascii: "a") + UInt8(number % 26), count: size),
      time: 1_700_000_000 + Int64(number),
      headers: [.init("x-source", .text("a/b.out")), .init("x-rows", .number(Int64(number)))], routingKey: key
    )
  }
}
