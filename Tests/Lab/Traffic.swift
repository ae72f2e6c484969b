import Foundation

/// The generator of traffic at work: Tests/Traffic.
public struct Traffic: Sendable {
  /// What it says of itself in the end, in payload bytes.
  public struct Count: Sendable, Decodable, Hashable {
    /// Who counted.
    public var pid: Int32
    /// What it sent.
    public var sent: UInt64
    /// What came to it.
    public var received: UInt64
    /// Datagrams or packets, sent by a client or received by a server.
    public var datagrams: UInt64
    /// Connections made or accepted.
    public var connections: UInt64
    /// Bytes that TCP sent again, on connections that have ended or are held.
    public var retransmitted: UInt64
    /// How often its TCP found that what it had sent arrived in another order, on the same connections.
    public var reordered: UInt64
    /// Seconds since its program began.
    public var seconds: Double
  }

  /// A connection of a TCP client.
  public struct Connection: Sendable, Decodable, Hashable {
    /// Who opened it.
    public var pid: Int32
    /// Its port on this side.
    public var connected: Int
  }

  /// Its process.
  public let process: ChildProcess

  /// Starts the generator with a command line (see its usage) in a namespace.
  ///
  /// - Parameters:
  ///   - wrapper: A command that runs it, such as `setpriv --reuid 65534`.
  ///   - program: Its file, when it is not the built one.
  public init(
    _ line: String, in namespace: NetworkNamespace, wrapper: String = "", program: String = Program.traffic
  ) throws {
    try self.init(
      line.split(separator: " ").map(String.init), in: namespace,
      wrapper: wrapper.split(separator: " ").map(String.init), program: program)
  }

  /// Starts the generator with arguments of any content.
  public init(
    _ arguments: [String], in namespace: NetworkNamespace, wrapper: [String] = [],
    program: String = Program.traffic
  ) throws {
    process = try namespace.start(wrapper + [program] + arguments)
  }

  /// Its pid.
  public var pid: Int32 { process.pid }

  /// Waits until it listens and returns its port.
  public func ready() async throws -> Int { try await number(for: "ready") }

  /// Waits until it has its socket and returns that one's port.
  @discardableResult
  public func connected() async throws -> Int { try await number(for: "connected") }

  /// Waits until a child of it goes on and returns the child's pid.
  public func child() async throws -> Int32 { Int32(try await number(for: "child")) }

  /// Lets one that was started with `--gate` begin.
  public func go() { process.write("g") }

  /// Waits until it has moved everything and returns its count; with `--hold` its sockets are still open then.
  public func counted() async throws -> Count { try await counts(1)[0] }

  /// Waits for that many counts, of itself and of those who go on with its socket.
  public func counts(_ number: Int) async throws -> [Count] { try await decoded(number, with: "sent") }

  /// Waits until that many TCP clients, one after the other in its place, have said what they connected.
  public func connections(_ number: Int) async throws -> [Connection] {
    try await decoded(number, with: "connected")
  }

  /// Waits for that many lines that have `key`.
  private func decoded<Line: Decodable>(_ number: Int, with key: String) async throws -> [Line] {
    try await answer("\(number) times \(key)") { lines in
      let decoded = try lines.filter { $0.contains("\"\(key)\"") }
        .map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
      return decoded.count >= number ? decoded : nil
    }
  }

  /// Ends a client that holds its sockets by its standard input, a server by SIGTERM, and waits for a clean exit.
  public func finish() async throws {
    process.closeInput()
    let isServer = process.command.contains("-serve")
    let status = isServer ? try await process.stop() : try await process.ended()
    guard status == .exited(0) else { throw failure(status) }
  }

  private func number(for key: String) async throws -> Int {
    try await answer(key) { lines in
      for line in lines {
        let words = line.split { "{}\":,".contains($0) }
        if words.first.map(String.init) == key { return words.dropFirst().first.flatMap { Int($0) } }
      }
      return nil
    }
  }

  /// What its lines answer, or why the generator gave up.
  private func answer<Answer>(_ awaited: String, _ match: ([String]) throws -> Answer?) async throws -> Answer
  {
    let output = process.output
    return try await eventually("\(awaited) of `\(process.command)`", state: { output.text }) {
      let status = process.status
      if let answer = try match(output.lines) { return answer }
      if let status, status != .exited(0) { throw failure(status) }
      return nil
    }
  }

  private func failure(_ status: ProcessStatus) -> LabError {
    .failed(command: process.command, status: status.description, output: process.errors.text)
  }
}
