import Lab
import Model
import Testing

/// A server, a client, and what the machine needs for it.
struct WitnessedKind: Sendable, CustomTestStringConvertible {
  var server: String
  var client: String
  var needs: [Requirement]

  init(_ server: String, _ client: String, needs: [Requirement] = []) {
    self.server = server
    self.client = client
    self.needs = needs
  }

  var testDescription: String { "\(server), \(client)" }

  /// Runs both to their end and returns what they counted.
  func run(in lab: Topology, isRemote: Bool) async throws -> [Int32: Usage] {
    let server = try Traffic(self.server, in: isRemote ? lab.b : lab.a)
    let port = try await server.ready()
    let host = isRemote ? "10.77.1.2" : "127.0.0.1"
    let client = try Traffic(
      self.client.replacing("HOST", with: host).replacing("PORT", with: "\(port)"), in: lab.a)
    let count = try await client.counted()
    try await client.finish()
    try await server.finish()
    let served = try await server.counted()
    return [count.pid: count.usage, served.pid: served.usage]
  }
}
