import Lab
import Testing

/// A server and a client that move bytes of a known number, and where they run.
struct TrafficKind: Sendable, CustomTestStringConvertible {
  /// Which of the two is a process of A, the host under observation; or B is that, and the client is in C behind it.
  enum Place: String, Sendable { case client, server, both, container }

  let place: Place
  let server: String
  let client: String
  /// How many clients run, each after the end of the one before.
  var times: Int
  var needs: Requirement?

  /// - Parameter client: Its command line, with HOST and PORT for the server's.
  init(_ place: Place, _ server: String, _ client: String, times: Int = 1, needs: Requirement? = nil) {
    self.place = place
    self.server = server
    self.client = client
    self.times = times
    self.needs = needs
  }

  var testDescription: String { "\(place): \(server), \(client)" }

  /// The two at work: the client, of several the last, has moved everything and holds its sockets.
  struct Running: Sendable {
    let server: Traffic
    let clients: [Traffic]
    let counts: [Traffic.Count]

    /// The only one, or the last.
    var client: Traffic { clients[clients.count - 1] }
    var count: Traffic.Count { counts[counts.count - 1] }

    func finish() async throws {
      try await client.finish()
      try await server.finish()
    }
  }

  /// Runs it until everything is moved. One that waits at its gate begins after `opened` has seen its socket; of
  /// several clients each ends after `seen` has seen it.
  func run(
    in lab: Topology, opened: (Traffic) async throws -> Void = { _ in },
    seen: (Traffic) async throws -> Void = { _ in }
  ) async throws -> Running {
    try await needs?.orSkip()
    let isV6 = server.contains("::")
    let host =
      switch place {
      case .client: isV6 ? "fd77::2" : "10.77.1.2"
      case .server: isV6 ? "fd77::1" : "10.77.1.1"
      case .container: "10.77.1.1"
      case .both: isV6 ? "::1" : "127.0.0.1"
      }
    let away = place == .container ? try #require(lab.c) : lab.b
    let server = try Traffic(server, in: place == .client ? lab.b : lab.a)
    let port = try await server.ready()
    let line = client.replacing("HOST", with: host).replacing("PORT", with: "\(port)")
    var clients: [Traffic] = []
    var counts: [Traffic.Count] = []
    for number in 1...times {
      let client = try Traffic(line + " --hold", in: place == .client || place == .both ? lab.a : away)
      clients.append(client)
      if line.contains("--gate") {
        try await client.connected()
        try await opened(client)
        client.go()
      }
      counts.append(try await client.counted())
      guard number < times else { break }
      try await seen(client)
      try await client.finish()
    }
    return Running(server: server, clients: clients, counts: counts)
  }
}
