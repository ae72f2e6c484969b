import CCrypto
import Foundation
import Glibc
import Lab

/// Logs in a folder of their own, a configuration beside them, and tstat_send on both.
final class SendSite: Sendable {
  /// A message, and which directory it is of.
  struct Message: Hashable {
    var directory: String
    var id: String
    /// The SHA-256 of its body.
    var digest: String
  }

  /// How a run ended, and what it said.
  struct Answer {
    var status: ProcessStatus
    var output: String
    var errors: String

    /// True where all it says is that there was nothing to do.
    var saysNothingIsLeft: Bool {
      errors.split(separator: "\n").count == 1 && errors.contains(" event=main.done ")
        && errors.contains(" 0 directories, ")
    }

    /// The lines on standard error that are not the original's log.
    var complaints: [String] {
      errors.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("ts=") }
    }
  }

  static let header =
    "#00#c_ip:1 c_port:2 c_bytes_uniq:3 c_pkts_data:4 c_pkts_retx:5 c_bytes_retx:6 s_ip:7 s_port:8 s_bytes_uniq:9 "
    + "s_pkts_data:10 s_pkts_retx:11 s_bytes_retx:12 first:13 last:14 durat:15\n"
  static let headerOfUDP =
    "#c_ip:1 c_port:2 c_first_abs:3 c_durat:4 c_bytes_all:5 c_pkts_all:6 s_ip:7 s_port:8 s_first_abs:9 s_durat:10 "
    + "s_bytes_all:11 s_pkts_all:12\n"
  /// The rows that fill a message: two objects each.
  static let rowsPerMessage = 50

  let folder: ScratchFolder
  let config: String

  /// Makes a site without logs. Nobody listens at the broker of the configuration, unless another text is given.
  init(_ configuration: String = SendSite.rabbit(port: 1, queue: "none")) throws {
    folder = try ScratchFolder()
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/logs", withIntermediateDirectories: false)
    config = try folder.write(configuration, to: "config.ini")
  }

  // MARK: Configurations

  static func rabbit(
    port: UInt16, queue: String, changing changes: [String: String] = [:], more: String = ""
  ) -> String {
    let keys: KeyValuePairs = [
      "host": "127.0.0.1", "port": "\(port)", "username": "guest", "password": "${RABBIT_PASSWORD:guest}",
      "use_ssl": "no", "vhost": "/", "queue": queue, "routing_key": queue, "exchange": "",
    ]
    let lines = keys.map { "\($0.key)=\(changes[$0.key] ?? $0.value)\n" }
    return "[rabbit]\n" + lines.joined() + more
  }

  static func http(port: UInt16, path: String = "/", more: String = "") -> String {
    "[http]\nhost=127.0.0.1\nport=\(port)\nuse_ssl=no\npath=\(path)\ntimeout=600\n\(more)"
  }

  /// Replaces the configuration.
  func configure(_ text: String) throws { try folder.write(text, to: "config.ini") }

  // MARK: Logs

  var root: String { "\(folder.path)/logs" }

  func path(_ name: String) -> String { "\(root)/\(name)" }

  /// Makes the directory `1.out`, or of another number, with a TCP and a UDP log of so many rows.
  @discardableResult
  func make(_ name: String, tcp: Int, udp: Int = 0) throws -> String {
    try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    if tcp > 0 {
      let rows = (0..<tcp).map { number in
        "192.0.2.1 \(number % 60_000) \(1_000_000 + number) 900 1 100 192.0.2.2 443 2000 5 0 0 1500000000123.456 "
          + "1500000002123.456 2000.000000\n"
      }
      try folder.write(Self.header + rows.joined(), to: "logs/\(name)/log_tcp_complete")
    }
    if udp > 0 {
      let rows = (0..<udp).map { number in
        "192.0.2.3 \(number % 60_000) 1500000000000.5 1.5 \(2_000_000 + number) 16 192.0.2.4 53 1500000000000.6 1.4 700 3\n"
      }
      try folder.write(Self.headerOfUDP + rows.joined(), to: "logs/\(name)/log_udp_complete")
    }
    return path(name)
  }

  /// Three directories, of which the one in the middle has a UDP log, too, and all have a message that is not full.
  @discardableResult
  func makeThree(messages: Int = 3) throws -> [String] {
    let full = messages * Self.rowsPerMessage
    return [
      try make("2024_01_01_00_00.out", tcp: full + 1),
      try make("2024_01_01_01_00.out", tcp: full - 20, udp: 30),
      try make("2024_01_01_02_00.out", tcp: full - 1),
    ]
  }

  /// Makes a file as old as that.
  func age(_ name: String, seconds: Int) throws {
    let date = Date(timeIntervalSinceNow: -Double(seconds))
    try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path(name))
  }

  func exists(_ name: String) -> Bool {
    (try? FileManager.default.attributesOfItem(atPath: path(name))) != nil
  }

  func read(_ name: String) -> String { folder.read("logs/\(name)") }

  /// The names of directories that are marked as sent.
  var marked: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    return names.filter { exists("\($0)/.processed") }.sorted()
  }

  /// The earliest directory that is not marked.
  func unmarked() throws -> String? {
    try FileManager.default.contentsOfDirectory(atPath: root).sorted().first { !exists("\($0)/.processed") }
  }

  /// How many messages of a directory its state file tells of.
  func acknowledged(_ name: String) -> Int {
    let lines = read("\(name)/.tstat_send").split(separator: "\n")
    return lines.first { $0.hasPrefix("acknowledged ") }.flatMap {
      Int($0.dropFirst(13).prefix { $0 != " " })
    } ?? 0
  }

  // MARK: Runs

  /// The flags of a run that sends by HTTP.
  static let overHTTP = ["-t", "http"]

  /// Starts a run that takes all directories and all rows, unless flags say otherwise.
  func start(
    _ flags: [String] = [], wrapper: [String] = [], environment: [String: String] = [:],
    output: ChildProcess.Output = .file
  ) throws -> ChildProcess {
    let child = try ChildProcess(
      wrapper + [Lab.Program.path("tstat_send"), "-d", root, "-c", config, "-T", "0", "--settle", "0"]
        + flags,
      environment: environment, output: output)
    child.closeInput()
    return child
  }

  /// Runs it to its end.
  func run(
    _ flags: [String] = [], wrapper: [String] = [], environment: [String: String] = [:],
    output: ChildProcess.Output = .file
  ) async throws -> Answer {
    let child = try start(flags, wrapper: wrapper, environment: environment, output: output)
    return try await Self.answer(child)
  }

  static func answer(_ child: ChildProcess) async throws -> Answer {
    let status = try await child.ended()
    return Answer(status: status, output: child.output.text, errors: child.errors.text)
  }

  /// Runs it with these flags alone.
  static func run(only flags: [String]) async throws -> Answer {
    let child = try ChildProcess([Lab.Program.path("tstat_send")] + flags)
    child.closeInput()
    return try await answer(child)
  }

  /// The messages that a run would send, in their order, as `--no-transport` shows them.
  func messages(_ flags: [String] = []) async throws -> [Message] {
    let printed = "\(folder.path)/printed"
    let answer = try await run(
      ["-N", "-v"] + flags, wrapper: ["sh", "-c", "exec \"$@\" > \(printed)", "sh"])
    guard answer.status == .exited(0) else { throw LabError.malformed(answer.errors) }
    let ids = answer.errors.split(separator: "\n").compactMap(Self.identity)
    let bodies = Self.bodies(try Data(contentsOf: URL(filePath: printed)))
    guard ids.count == bodies.count else {
      throw LabError.malformed("\(ids.count) ids, \(bodies.count) bodies")
    }
    return zip(ids, bodies).map { Message(directory: $0.directory, id: $0.id, digest: Self.digest($1)) }
  }

  /// What a line of `--verbose` says of a message.
  private static func identity(_ line: Substring) -> (directory: String, id: String)? {
    guard line.contains(" event=_process_payload.run "), line.contains(": message "),
      let id = line.split(separator: " ").last, id.count == 32,
      let path = line.split(separator: " ").first(where: { $0.hasSuffix(".out:") }),
      let name = path.dropLast().split(separator: "/").last
    else { return nil }
    return (String(name), String(id))
  }

  /// The messages that were printed, without the line feed after each.
  static func bodies(_ output: Data) -> [Data] {
    var bodies: [Data] = []
    var start = output.startIndex
    while let end = output.range(of: Data("\n]\n".utf8), in: start..<output.endIndex) {
      bodies.append(output[start..<(end.upperBound - 1)])
      start = end.upperBound
    }
    return bodies
  }

  /// A SHA-256 in hexadecimal.
  static func digest(_ data: Data) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    // In bounds: SHA-256 writes 32 bytes (EVP_Digest(3)).
    let code = unsafe EVP_Digest(Array(data), data.count, &digest, nil, EVP_sha256(), nil)
    precondition(code == 1)
    return digest.map { String(format: "%02x", $0) }.joined()
  }
}

extension RabbitServer {
  /// A site whose messages go to a queue of this broker.
  func site(
    _ queue: String, changing changes: [String: String] = [:], more: String = ""
  ) throws -> SendSite {
    try SendSite(SendSite.rabbit(port: port, queue: queue, changing: changes, more: more))
  }
}

extension TestServer {
  /// A site whose messages go to this web server.
  func site(path: String = "/") throws -> SendSite {
    try SendSite(SendSite.http(port: port, path: path))
  }
}
