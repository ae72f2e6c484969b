import Foundation
import Lab

/// A host, and a network of routers and targets before it.
struct ProbeSite: Sendable {
  let host: NetworkNamespace
  let network: FakeNetwork

  /// Makes both; the host has 10.9.0.1 and fd09::1.
  init(_ scenario: String, settings: String = "") async throws {
    host = try await NetworkNamespace()
    network = try await FakeNetwork(
      "[network]\naddresses = 10.9.0.1 fd09::1\n\(settings)\n\(scenario)", in: host)
  }
}

/// Which kind of ICMP socket a program gets.
enum SocketKind: String, Sendable, CaseIterable {
  case datagram, raw

  /// Has a host permit it: raw ones are what root is left with.
  func permit(in host: NetworkNamespace) async throws {
    if self == .raw { try await host.closePingSockets() }
  }
}

extension NetworkNamespace {
  /// Takes ping sockets from all groups.
  func closePingSockets() async throws { try await setSysctl("net.ipv4.ping_group_range", to: "1 0") }

  /// Runs connvitals to its end; `user` is what comes before the program.
  func connvitals(
    _ line: String, as user: [String] = [], program: String = Program.path("connvitals"),
    output: ChildProcess.Output = .file
  ) async throws -> ChildProcess {
    let child = try start(
      user + [program] + line.split(separator: " ").map(String.init), output: output)
    child.closeInput()
    _ = try await child.ended()
    return child
  }

  /// Runs connvitals with JSON events, which all must be read, and returns them.
  func events(_ line: String, as user: [String] = []) async throws -> [ProbeEvent] {
    let child = try await connvitals("--format json \(line)", as: user)
    guard child.status == .exited(0) else {
      throw LabError.failed(
        command: child.command, status: "\(String(describing: child.status))", output: child.errors.text)
    }
    return try child.output.lines.map { try ProbeEvent(line: $0) }
  }
}

/// A program's copy that every user may run.
struct CopyForEveryone: Sendable {
  let path: String
  private let folder: ScratchFolder

  init(of program: String) async throws {
    folder = try ScratchFolder()
    path = try await folder.copy(Program.path(program), as: program)
  }

  /// What makes a program nobody's, without capabilities.
  static let nobody = [
    "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
  ]
}

/// Services of a host for scans: Fixtures/services.py has the words.
struct Services: Sendable {
  let process: ChildProcess
  private let folder: ScratchFolder

  /// Starts them on all addresses, and waits until they listen.
  init(_ words: [String], in host: NetworkNamespace) async throws {
    folder = try ScratchFolder()
    let (certificate, key) = ("\(folder.path)/certificate.pem", "\(folder.path)/key.pem")
    try await run(
      ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=other.test", "-keyout", key, "-out", certificate])
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/services.py").path
    process = try host.start(["python3", script, certificate, key] + words)
    try await process.output.first("the services") { $0 == "ready" ? () : nil }
  }

  /// How many connections a service has had.
  func connections(_ word: String) -> Int { process.output.lines.filter { $0 == word }.count }
}
