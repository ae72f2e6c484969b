import Lab
import Testing

/// A server and a client that move bytes of a known number, and where they run.
struct TrafficKind: Sendable, CustomTestStringConvertible {
  /// Which of the two is a process of A, the host under observation.
  enum Place: String, Sendable { case client, server, both }

  let place: Place
  let server: String
  let client: String
  var needs: Requirement?

  /// - Parameter client: Its command line, with HOST and PORT for the server's.
  init(_ place: Place, _ server: String, _ client: String, needs: Requirement? = nil) {
    self.place = place
    self.server = server
    self.client = client
    self.needs = needs
  }

  var testDescription: String { "\(place): \(server), \(client)" }

  /// The two at work: the client has moved everything and holds its sockets.
  struct Running: Sendable {
    let server: Traffic
    let client: Traffic
    let count: Traffic.Count

    func finish() async throws {
      try await client.finish()
      try await server.finish()
    }
  }

  /// Runs it until everything is moved.
  func run(in lab: Topology) async throws -> Running {
    try await needs?.orSkip()
    let isV6 = server.contains("::")
    let host =
      switch place {
      case .client: isV6 ? "fd77::2" : "10.77.1.2"
      case .server: isV6 ? "fd77::1" : "10.77.1.1"
      case .both: isV6 ? "::1" : "127.0.0.1"
      }
    let server = try Traffic(server, in: place == .client ? lab.b : lab.a)
    let port = try await server.ready()
    let line = client.replacing("HOST", with: host).replacing("PORT", with: "\(port)") + " --hold"
    let client = try Traffic(line, in: place == .server ? lab.b : lab.a)
    return Running(server: server, client: client, count: try await client.counted())
  }
}
