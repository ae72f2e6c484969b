import Foundation
import Synchronization

/// A network of routers and hosts behind the device `fake0` of a namespace, as a scenario says it: Tests/FakeNetwork,
/// whose header has the scenario's keys.
///
/// ```swift
/// let network = try await FakeNetwork(
///   """
///   [network]
///   addresses = 10.9.0.1
///   [target 10.9.0.5]
///   path = 10.9.1.1 10.9.1.2
///   delay = 20
///   """, in: host)
/// try await network.set("target 10.9.0.5 loss 100")
/// ```
public final class FakeNetwork: Sendable {
  /// What was made of the packets that ended at a hop or target: `received` is the sum of the next seven.
  public struct Counts: Sendable, Decodable, Hashable {
    /// Probes that came, or would have come but for a hop that dropped them on their way; of a hop, those that ended
    /// there.
    public var received: Int
    /// Answered, however much later.
    public var answered: Int
    /// Lost by chance: by its `loss`, or by a hop's `drop` on the way to it.
    public var lost: Int
    /// Not answered, as it is silent or does not take such probes.
    public var ignored: Int
    /// Not answered, as it has answered too much.
    public var limited: Int
    /// Answered by what is no valid answer.
    public var garbage: Int
    /// Came with a wrong checksum.
    public var malformed: Int
    /// Not answered, as too many answers were on their way.
    public var overflow: Int
    /// Second copies of answers.
    public var duplicated: Int
    /// Answers that others may have overtaken.
    public var reordered: Int
    /// Answers that came when nobody waited any more.
    public var late: Int
    /// What came besides an answer and is none.
    public var noise: Int
    /// What a hop let pass.
    public var forwarded: Int
    /// What a hop lost instead.
    public var dropped: Int
  }

  /// All counts of a network.
  public struct Counters: Sendable, Decodable, Hashable {
    /// By the name that a target has in the scenario.
    public var targets: [String: Counts]
    /// By the name that a hop has in the scenario.
    public var hops: [String: Counts]
    /// Packets that are no probes, or of nobody whom the network has, such as the kernel's own.
    public var unknown: Int
    /// Answers that are still on their way.
    public var waiting: Int
  }

  /// Its process.
  public let process: ChildProcess
  private let commands = Mutex(0)
  private let folder: ScratchFolder

  /// Starts a network in a namespace and waits until its device is up.
  public init(_ scenario: String, in namespace: NetworkNamespace) async throws {
    folder = try ScratchFolder()
    process = try namespace.start([Program.path("fakenet"), try folder.write(scenario, to: "scenario")])
    _ = try await line("ready") { $0 == "ready" ? "" : nil }
  }

  /// Changes a key from now on, such as `target 10.9.0.5 loss 100` or `hop 10.9.1.2 silent on`.
  public func set(_ setting: String) async throws {
    let answer = try await ask("set \(setting)")
    guard answer == "ok" else { throw LabError.malformed("\(setting): \(answer)") }
  }

  /// What it has counted so far.
  public func counters() async throws -> Counters { try Self.decoded(try await ask("counters")) }

  /// Waits until what it has counted is as it should be, and returns that.
  @discardableResult
  public func counters(_ awaited: String, where condition: (Counters) -> Bool) async throws -> Counters {
    var last: Counters?
    return try await eventually(awaited, state: { "\(String(describing: last))" }) {
      let counters = try await counters()
      last = counters
      return condition(counters) ? counters : nil
    }
  }

  /// Sets all counters to 0.
  public func reset() async throws { _ = try await ask("reset") }

  /// Ends it, which takes its device away, and returns what it has counted.
  @discardableResult
  public func stop() async throws -> Counters {
    process.closeInput()
    let status = try await process.ended()
    guard status == .exited(0) else { throw failure(status) }
    return try Self.decoded(process.output.lines.last ?? "")
  }

  /// Gives a command and returns what follows its number in the answer.
  private func ask(_ command: String) async throws -> String {
    // The lock keeps the commands in the order of their numbers.
    let number = commands.withLock { commands in
      commands += 1
      process.write(command + "\n")
      return commands
    }
    let prefix = "\(number) "
    return try await line("an answer to \(command)") {
      $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil
    }
  }

  private func line(_ awaited: String, _ match: (String) -> String?) async throws -> String {
    let output = process.output
    return try await eventually(
      "\(awaited) of `\(process.command)`", state: { output.lines.suffix(5).joined(separator: "\n") }
    ) {
      let status = process.status
      for line in output.lines.reversed() {
        if let answer = match(line) { return answer }
      }
      if let status { throw failure(status) }
      return nil
    }
  }

  private static func decoded(_ text: String) throws -> Counters {
    guard text.hasPrefix("{") else { throw LabError.malformed(text) }
    return try JSONDecoder().decode(Counters.self, from: Data(text.utf8))
  }

  private func failure(_ status: ProcessStatus) -> LabError {
    .failed(command: process.command, status: status.description, output: process.errors.text)
  }
}
