import Foundation
import Lab

/// A network, a mail server in it, a configuration for that server, and a folder for reports.
struct NetConnMonMailSetting {
  let namespace: NetworkNamespace
  let server: TestServer
  let folder: ScratchFolder

  var spool: String { "\(folder.path)/state/spool" }
  var configuration: String { "\(folder.path)/pySendMail/sendMailConfig.json" }

  init(_ words: [String] = ["starttls"]) async throws {
    namespace = try await NetworkNamespace()
    server = try await TestServer("mail_server", words, in: namespace)
    folder = try ScratchFolder()
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/pySendMail", withIntermediateDirectories: true)
  }

  /// Writes the configuration where pySendMail has it.
  func configure() throws {
    try folder.write(
      """
      {"mail": {"//": "a comment", "//": "another", "from": "gate@example.org", "to": "root@example.org",
        "smtp": {"server": "localhost", "port": \(server.port), "user": "", "password": "", "tls": false,
          "timeout": 0, "cafile": "\(server.certificate)"}}}
      """, to: "pySendMail/sendMailConfig.json")
  }

  /// Starts the program in the folder; the reference is port 7000.
  func start(_ arguments: [String] = [], in place: UselessFolder? = nil) throws -> ChildProcess {
    try namespace.start(
      (place?.wrapper("\(folder.path)/state") ?? []) + [
        "sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", folder.path, Program.path("netconnmon"),
        "-a", "127.0.0.1", "-p", "7000", "-i", "0.02", "-m", "0", "--spool", spool,
      ] + arguments)
  }

  /// Ends `monitor`'s outage, which must have begun; returns the lines that it has written from the `start`-th on.
  func recover(_ monitor: ChildProcess, from start: Int = 0) async throws -> (ChildProcess, [String]) {
    try await lines(start + 1, of: monitor)
    let reference = try serve()
    return (reference, Array(try await lines(start + 2, of: monitor)[start...]))
  }

  /// The reference, which accepts.
  func serve() throws -> ChildProcess {
    try namespace.start([
      "python3", "-c",
      "import socket; s = socket.create_server(('127.0.0.1', 7000))\nwhile True: s.accept()",
    ])
  }

  @discardableResult
  func lines(_ count: Int, of monitor: ChildProcess) async throws -> [String] {
    try await eventually("\(count) lines", state: { monitor.output.text + monitor.errors.text }) {
      monitor.output.lines.count >= count ? monitor.output.lines : nil
    }
  }

  /// The reports that wait; what the next start is to know is no report.
  var waiting: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []).filter { $0 != "program.state" }
  }

  /// Waits until the next start will know these lines.
  func isKept(_ lines: [String]) async throws {
    try await eventually("lines on the disk", state: { folder.read("state/spool/program.state") }) {
      lines.allSatisfy(folder.read("state/spool/program.state").contains) ? () : nil
    }
  }

  func nothingWaits() async throws {
    try await eventually("an empty folder", state: { "\(waiting)" }) { waiting.isEmpty ? () : nil }
  }
}

extension ReceivedMail {
  /// The lines of its text.
  var textLines: [String] {
    data.components(separatedBy: "\r\n\r\n").dropFirst().joined()
      .components(separatedBy: "\r\n").filter { !$0.isEmpty }
  }
}
