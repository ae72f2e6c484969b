import Foundation
import Lab

/// Probes of known numbers to one host, by Fixtures/probes.py, and the ICMP messages that come back.
struct Probes {
  /// An ICMP message that came.
  struct Answer: Decodable, Hashable {
    var from: String
    var ttl: Int?
    var type: Int?
    var code: Int?
    var word: Int?
    var probe: Int?
    var quoted: Int?
    var valid: Bool?
    var same: Bool?
    var stranger: Bool?
    var size: Int?
  }

  private let process: ChildProcess

  /// Starts to send; `line` is KIND HOST COUNT and, if wanted, TTL and SIZE.
  init(_ line: String, in namespace: NetworkNamespace) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/probes.py").path
    process = try namespace.start(["python3", file] + line.split(separator: " ").map(String.init))
  }

  /// Waits until all are sent.
  func sent() async throws {
    let process = process
    _ = try await eventually("the last probe", state: { process.errors.text }) {
      let status = process.status
      if process.output.lines.contains("sent") { return () }
      if let status {
        throw LabError.failed(command: process.command, status: "\(status)", output: process.errors.text)
      }
      return nil
    }
  }

  /// All that came, in its order; to be asked when no answer is on its way any more.
  func answers() async throws -> [Answer] {
    try await sent()
    process.closeInput()
    let status = try await process.ended()
    guard status == .exited(0) else {
      throw LabError.failed(command: process.command, status: "\(status)", output: process.errors.text)
    }
    return try process.output.lines.filter { $0.hasPrefix("{") }
      .map { try JSONDecoder().decode(Answer.self, from: Data($0.utf8)) }
  }

  /// Sends probes and returns what has come when the network has no answer on its way any more.
  static func answers(_ line: String, in host: NetworkNamespace, of network: FakeNetwork) async throws
    -> [Answer]
  {
    let before = try await network.counters().taken
    let probes = try Probes(line, in: host)
    try await probes.sent()
    let count = Int(line.split(separator: " ")[2]) ?? 0
    try await network.counters("the end of all answers") { $0.waiting == 0 && $0.taken >= before + count }
    return try await probes.answers()
  }
}

extension FakeNetwork.Counters {
  /// Probes whose way has ended.
  var taken: Int {
    targets.values.reduce(0) { $0 + $1.received } + hops.values.reduce(0) { $0 + $1.received }
  }
}

extension FakeNetwork.Counts {
  /// What `received` has to be.
  var sum: Int { answered + lost + ignored + limited + garbage + malformed + overflow }
}
