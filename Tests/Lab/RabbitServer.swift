import Foundation
import Synchronization
import Testing

/// A RabbitMQ of the tests' own, on the loopback, plain and with TLS; it ends with its owner or with this process.
public final class RabbitServer: Sendable {
  /// The port without TLS.
  public let port: UInt16
  /// The port with TLS.
  public let tlsPort: UInt16
  /// The certificate that it shows, for `localhost` alone: also the one authority that knows it.
  public let certificate: String
  /// The file with the certificate's key.
  public let key: String

  private let process: ChildProcess
  private let client: ChildProcess
  private let folder: ScratchFolder
  /// How many requests the client got.
  private let next = Mutex(0)

  /// The broker of the suite that a test is of, where that has the trait `.rabbitServer`.
  @TaskLocal public static var current: RabbitServer?

  /// Starts a broker, in a namespace or in this one, and waits until it takes connections.
  public init(in namespace: NetworkNamespace? = nil) async throws {
    folder = try ScratchFolder()
    certificate = "\(folder.path)/certificate.pem"
    key = "\(folder.path)/key.pem"
    try await run(
      ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", key, "-out", certificate])
    let process = try Self.start("rabbit_server", [certificate, key, "\(folder.path)/broker"], in: namespace)
    self.process = process
    let ports = try await eventually("the ports of a broker", state: { process.errors.text }) {
      process.output.lines.first.map { $0.split(separator: " ").dropFirst().compactMap { UInt16($0) } }
    }
    guard ports.count == 2 else { throw LabError.malformed(process.output.text) }
    (port, tlsPort) = (ports[0], ports[1])
    client = try Self.start("rabbit_client", ["\(port)"], in: namespace)
    try await Self.wait(process, "ready", 1)
  }

  private static func start(
    _ script: String, _ words: [String], in namespace: NetworkNamespace?
  ) throws -> ChildProcess {
    guard let path = Bundle.module.path(forResource: "Fixtures/\(script)", ofType: "py") else {
      throw LabError.missing(script)
    }
    let command = ["/usr/bin/python3", path] + words
    return try namespace?.start(command) ?? ChildProcess(command)
  }

  /// The folder is only free to go when the broker has ended.
  deinit {
    process.closeInput()
    let deadline = ContinuousClock.now + .seconds(20)
    while process.status == nil, ContinuousClock.now < deadline { usleep(10_000) }
  }

  private static func wait(_ process: ChildProcess, _ line: String, _ count: Int) async throws {
    let _: Bool = try await eventually("\(count) times `\(line)` of a broker", state: { process.errors.text })
    {
      if process.status != nil { throw LabError.malformed(process.errors.text) }
      return process.output.lines.filter { $0 == line }.count >= count ? true : nil
    }
  }

  private func command(_ text: String, answer: String) async throws {
    let before = process.output.lines.filter { $0 == answer }.count
    process.write(text + "\n")
    try await Self.wait(process, answer, before + 1)
  }

  /// Ends it with all its helpers by SIGKILL, and waits for that.
  public func kill() async throws { try await command("kill", answer: "killed") }

  /// Starts it again on the same data and ports.
  public func restart() async throws { try await command("start", answer: "ready") }

  /// Has it write which queues there are onto the disk. A broker that is killed within two seconds of making a queue forgets it,
  /// with all that it has confirmed: the log of its database is written that late.
  public func keepQueues() async throws { try await control("eval mnesia:dump_log().") }

  /// Runs rabbitmqctl with words that have no spaces within.
  public func control(_ words: String) async throws { try await command("ctl " + words, answer: "ctl 0") }
}

/// A message as it was taken from a queue.
public struct RabbitMessage: Sendable, Hashable, Codable {
  /// A header's value.
  public enum Value: Sendable, Hashable, Codable {
    case text(String)
    case number(Int64)

    /// Reads either.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Int64.self) {
        self = .number(number)
      } else {
        self = .text(try container.decode(String.self))
      }
    }
  }

  /// The properties message_id, timestamp, app_id and content_type.
  public var id: String?, time: Int64?, app: String?, type: String?
  /// The property headers.
  public var headers: [String: Value]
  /// The property delivery_mode: 2 is persistent.
  public var mode: Int?
  /// The routing key.
  public var key: String
  /// The size of the body.
  public var count: Int
  /// The body's SHA-256.
  public var digest: String
}

extension RabbitServer {
  /// Sends a request to the client, whose answers come in the order of requests; tests of one broker may ask side by side.
  private func ask(_ words: [any Sendable]) async throws -> Data {
    let line = String(decoding: try JSONSerialization.data(withJSONObject: words), as: UTF8.self)
    let place = next.withLock { next in
      client.write(line + "\n")
      defer { next += 1 }
      return next
    }
    let text = try await eventually("the answer to \(line)", state: { client.errors.text }) {
      if client.status != nil { throw LabError.malformed(client.errors.text) }
      let lines = client.output.lines
      return place < lines.count ? lines[place] : nil
    }
    return Data(text.utf8)
  }

  /// Makes a durable queue, with arguments such as `["x-max-length": 1]`.
  public func declare(_ queue: String, _ arguments: [String: any Sendable] = [:]) async throws {
    _ = try await ask(["declare", queue, arguments])
  }

  /// Removes a queue.
  public func delete(_ queue: String) async throws { _ = try await ask(["delete", queue]) }

  /// Makes a topic exchange.
  public func exchange(_ name: String) async throws { _ = try await ask(["exchange", name]) }

  /// Binds a queue to an exchange.
  public func bind(_ queue: String, to exchange: String, key: String) async throws {
    _ = try await ask(["bind", queue, exchange, key])
  }

  /// How many messages are in a queue; nil where there is no such queue.
  public func count(_ queue: String) async throws -> Int? {
    try? JSONDecoder().decode(Int.self, from: try await ask(["count", queue]))
  }

  /// Takes all messages out of a queue, in their order.
  public func drain(_ queue: String) async throws -> [RabbitMessage] {
    try JSONDecoder().decode([RabbitMessage].self, from: try await ask(["drain", queue]))
  }
}

/// Starts a broker for a suite and ends it after its last test.
public struct RabbitServerTrait: SuiteTrait, TestScoping {
  /// Runs the suite with its broker.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await RabbitServer.$current.withValue(try await RabbitServer()) { try await function() }
  }
}

extension Trait where Self == RabbitServerTrait {
  /// Gives all tests of a suite one broker: `RabbitServer.current`.
  public static var rabbitServer: Self { RabbitServerTrait() }
}
