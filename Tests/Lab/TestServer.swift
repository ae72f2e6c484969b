import Foundation
import Glibc

/// A server of the tests' own, written in Python, on a free port of the loopback; it ends with its owner.
///
/// The scripts in Fixtures say what they understand and what they report.
public final class TestServer: Sendable {
  /// A request as the web server has received it.
  public struct Request: Sendable, Hashable, Codable {
    /// GET, HEAD or POST.
    public var method: String
    /// The path.
    public var path: String
    /// The fields of the head.
    public var headers: [String: String]
    /// The body.
    public var body: String
    /// The status that it is answered with.
    public var answer: Int
    /// Which of the server's connections brought it, from 1.
    public var connection: Int
  }

  /// Its port.
  public let port: UInt16
  /// The certificate that it shows, for `localhost` alone: also the one authority that knows it.
  public let certificate: String

  private let process: ChildProcess
  private let folder: ScratchFolder

  /// Starts `script` of Fixtures with `words`, in a namespace or in this one, and waits until it listens.
  public init(
    _ script: String, _ words: [String] = [], in namespace: NetworkNamespace? = nil
  ) async throws {
    try await Requirement.servers.orSkip()
    folder = try ScratchFolder()
    certificate = "\(folder.path)/certificate.pem"
    let key = "\(folder.path)/key.pem"
    try await run(
      ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", key, "-out", certificate])
    guard let path = Bundle.module.path(forResource: "Fixtures/\(script)", ofType: "py") else {
      throw LabError.missing(script)
    }
    let command = ["/usr/bin/python3", path, certificate, key] + words
    let process = try namespace?.start(command) ?? ChildProcess(command)
    self.process = process
    port = try await eventually("the port of \(script)", state: { process.errors.text }) {
      process.output.text.split(separator: "\n").first.flatMap { UInt16($0.dropFirst("port ".count)) }
    }
  }

  /// What it has reported with this first word, without it.
  public func reports(_ word: String) -> [String] {
    let text = process.output.text
    // The last line may be incomplete.
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    return lines.filter { $0 == word || $0.hasPrefix(word + " ") }.map {
      String($0.dropFirst(word.count + 1))
    }
  }

  /// Waits until it has reported so many with this first word, and returns them.
  public func reports(_ word: String, count: Int) async throws -> [String] {
    try await eventually(
      "\(count) reports of \(word)", state: { process.output.text + process.errors.text }
    ) {
      let found = reports(word)
      return found.count >= count ? found : nil
    }
  }

  /// The requests that reached a web server until now, whatever it answered.
  public func requests() throws -> [Request] {
    try reports("request").map { try JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
  }

  /// The same, as soon as there are so many.
  public func requests(count: Int) async throws -> [Request] {
    _ = try await reports("request", count: count)
    return try requests()
  }

  /// Stops it where it is: who connects waits for an answer.
  public func pause() { process.signal(SIGSTOP) }

  /// Lets it go on.
  public func resume() { process.signal(SIGCONT) }

  /// Ends it.
  public func stop() async throws { try await process.stop(9) }

  /// A sendMailConfig.json for a mail server.
  public var mailConfiguration: String {
    """
    {"mail": {"from": "gate@example.org", "to": "root@example.org", "smtp": {"server": "localhost",
      "port": \(port), "cafile": "\(certificate)"}}}
    """
  }

  /// The mails that reached a mail server, whatever it answered.
  public func mails(count: Int) async throws -> [ReceivedMail] {
    try await reports("mail", count: count).map {
      try JSONDecoder().decode(ReceivedMail.self, from: Data($0.utf8))
    }
  }
}

/// A mail as a test server has received it.
public struct ReceivedMail: Sendable, Hashable, Codable {
  /// The envelope's sender.
  public var from: String
  /// The recipients that were taken.
  public var to: [String]
  /// Whether it came by TLS.
  public var tls: Bool
  /// The mail after the doubled dots were undone; each byte is a character.
  public var data: String
  /// As it came, to the last dot.
  public var raw: String
  /// The code that was answered, or `drop`.
  public var answer: String

  /// The value of a header field, nil without one.
  public func field(_ name: String) -> String? {
    let line = data.split(separator: "\r\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
      .first { $0.hasPrefix(name + ": ") }
    return line.map { String($0.dropFirst(name.count + 2)) }
  }
}
