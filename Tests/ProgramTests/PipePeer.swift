import Foundation
import Lab
import Testing

/// A case of Fixtures/pipe_peer.py: clients and servers on both sides of a pipe.
struct PipePeer {
  /// Its process.
  let process: ChildProcess

  /// Starts a case in a namespace; see the file for what each is.
  init(
    _ name: String, pipe: String = "127.0.0.1:8080", target: String = "127.0.0.1:9000",
    _ arguments: [String] = [],
    in namespace: NetworkNamespace
  ) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/pipe_peer.py")
      .path
    process = try namespace.start(["python3", file, name, pipe, target] + arguments)
  }

  /// Runs a case to its end, which must be a good one, and returns what it printed.
  @discardableResult
  static func run(
    _ name: String, pipe: String = "127.0.0.1:8080", target: String = "127.0.0.1:9000",
    _ arguments: [String] = [],
    in namespace: NetworkNamespace
  ) async throws -> String {
    try await PipePeer(name, pipe: pipe, target: target, arguments, in: namespace).finished()
  }

  /// Waits until nobody listens on port 8080 any more.
  static func refused(in namespace: NetworkNamespace) async throws {
    try await eventually("no listener") {
      try await namespace.run("ss -ltnH").contains(":8080") ? nil : ()
    }
    let probe = try PipePeer("ask", target: "-", ["1"], in: namespace)
    #expect(try await probe.process.ended() != .exited(0))
  }

  /// Waits for a line that begins with `word` and returns it. Its end without one is an error.
  @discardableResult
  func said(_ word: String, within limit: Duration = patience) async throws -> String {
    try await eventually(
      "\(word) of `\(process.command)`; \(process.errors.text)", within: limit,
      state: { process.output.lines.suffix(5).joined(separator: "\n") }
    ) {
      // Its end is looked at first: all that it wrote is there then.
      let status = process.status
      if let line = process.output.lines.first(where: { $0.hasPrefix(word) }) { return line }
      guard let status else { return nil }
      throw LabError.failed(command: process.command, status: "\(status)", output: process.errors.text)
    }
  }

  /// Ends its input, waits for its good end and returns what it printed.
  @discardableResult
  func finished(within limit: Duration = patience) async throws -> String {
    process.closeInput()
    let status = try await process.ended(within: limit)
    guard status == .exited(0) else {
      throw LabError.failed(command: process.command, status: "\(status)", output: process.errors.text)
    }
    return process.output.text
  }
}

extension Reporter {
  /// Starts runpipe on port 8080 to port 9000 of `host` and waits until it listens.
  static func pipe(
    _ flags: [String] = [], host: String = "127.0.0.1", in namespace: NetworkNamespace, wrapper: [String] = []
  ) async throws -> Reporter {
    let pipe = try Reporter(
      ["8080", host, "9000"] + flags, program: "runpipe", in: namespace, wrapper: wrapper)
    try await pipe.report("a first report of `\(pipe.process.command)`")
    return pipe
  }

  /// The open descriptors of the program.
  func descriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/fd").count
  }

  /// The resident memory of the program in bytes, and the processor time it has used in clock ticks.
  func resources() throws -> (memory: Int, ticks: Int) {
    let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
    let memory = try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    let stat = try String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8)
    let fields = try #require(stat.split(separator: ")").last).split(separator: " ")
    return (memory * 1024, try #require(Int(fields[11])) + #require(Int(fields[12])))
  }
}

extension Report {
  /// The row of the only pipe.
  var pipe: Row? { rows.first { $0.kind == "pipe" } }
}
