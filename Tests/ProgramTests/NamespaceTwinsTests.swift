import Lab
import Testing

/// A29: two pairs of namespaces with the same addresses and ports.
@Suite(.needs(.namespaces), .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct NamespaceTwinsTests {
  /// A client and a server on a wire of their own.
  private struct Pair {
    let client: NetworkNamespace
    let server: NetworkNamespace

    init() async throws {
      client = try await NetworkNamespace()
      server = try await NetworkNamespace()
      try await run("ip link add eth0 netns \(client.name) type veth peer name eth0 netns \(server.name)")
      for (host, number) in [(client, 1), (server, 2)] {
        try await host.ip("link set eth0 up")
        try await host.ip("addr add 10.78.0.\(number)/24 dev eth0")
        try await host.trackConnections()
      }
    }

    func move(bytes: Int) async throws -> (client: Traffic, server: Traffic, count: Traffic.Count) {
      let server = try Traffic("tcp-serve --bind 10.78.0.2 --port 5000", in: server)
      _ = try await server.ready()
      let client = try Traffic(
        "tcp 10.78.0.2 5000 --source-port 4000 --send \(bytes) --hold", in: client)
      return (client, server, try await client.counted())
    }
  }

  @Test func `equal four-tuples have two owners, and what may be either's is nobody's`() async throws {
    let pairs = [try await Pair(), try await Pair()]
    let traffic = [try await pairs[0].move(bytes: 1_000_000), try await pairs[1].move(bytes: 3_000_000)]
    for (index, pair) in pairs.enumerated() {
      let entries = try await pair.client.quietConnections()
      try #require(entries.count == 1)
      let flow = FlowSum(entries)
      flow.expect([traffic[index].count])
      let truth = flow.moved
      let monitor = try Reporter(in: pair.client, namespaces: true)
      let report = try await monitor.report("\(truth)") { $0.usage(pid: traffic[index].client.pid) == truth }
      #expect(report.row(pid: traffic[index].client.pid)?.netns == nil)
      // The server's end fits the servers of both pairs.
      #expect(report.rows.count { $0.pid != nil } == 1)
      #expect(report.balance.unattributed.reasons["ambiguous"] == truth.sent + truth.received)
      #expect(report.balance.total.view == report.balance.sum)
      try await monitor.stop()
    }
    for (client, server, _) in traffic {
      try await client.finish()
      try await server.finish()
    }
  }
}
