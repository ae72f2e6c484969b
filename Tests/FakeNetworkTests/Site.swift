import Lab

/// A host and the network before it.
struct Site {
  let host: NetworkNamespace
  let network: FakeNetwork

  /// Makes both; the host has 10.9.0.1 and fd09::1.
  init(_ scenario: String, settings: String = "") async throws {
    host = try await NetworkNamespace()
    network = try await FakeNetwork(
      "[network]\naddresses = 10.9.0.1 fd09::1\n\(settings)\n\(scenario)", in: host)
  }

  /// Runs a program that may fail, as ping(8) does without answers, and returns what it printed.
  func text(_ line: String) async throws -> String {
    let child = try host.start(line.split(separator: " ").map(String.init))
    child.closeInput()
    _ = try await child.ended()
    return child.output.text + child.errors.text
  }

  /// Runs a program of Python, with `socket` at hand, and returns what it printed.
  func python(_ program: String) async throws -> String {
    try await host.run(["python3", "-c", "import socket\n" + program])
  }

  /// The numbers before `ms` in what ping(8) or traceroute(8) printed.
  static func milliseconds(_ text: String) -> [Double] {
    let words = text.split { " =\n".contains($0) }
    return zip(words, words.dropFirst()).compactMap { $1 == "ms" ? Double($0) : nil }
  }
}
