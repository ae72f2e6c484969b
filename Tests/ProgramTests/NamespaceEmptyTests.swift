import Lab
import Testing

/// Sockets in network namespaces in which no process is: C behind the host B, A another network.
@Suite(.needs(.namespaces), .serialized, .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct NamespaceEmptyTests {
  /// As HAProxy's `server ... namespace blue`.
  @Test func `a socket in a namespace without a process is its holder's`() async throws {
    let lab = try await Topology(withC: true)
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    let server = try Traffic("tcp-serve", in: lab.a)
    let port = try await server.ready()
    let monitor = try Reporter(in: lab.b, namespaces: true)
    try await monitor.report("a first report")
    let client = try Traffic(
      "tcp-elsewhere 10.77.1.1 \(port) --network /run/netns/\(c.name) --send 1000000 --hold", in: lab.b)
    _ = try await client.counted()
    let truth = try await truth(lab)
    let report = try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    #expect(report.row(pid: client.pid)?.match == "exact")
    #expect(report.usage(pid: server.pid) == truth.reversed)
    #expect(report.balance.forwarded.view == HostView())
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  @Test func `a socket in a namespace in which only a thread lives is its process's`() async throws {
    let lab = try await Topology(withC: true)
    let c = try #require(lab.c)
    try await lab.b.trackConnections()
    let server = try Traffic("tcp-serve", in: lab.a)
    let port = try await server.ready()
    let path = "/run/netns/\(c.name)"
    let client = try Traffic(
      "tcp-elsewhere 10.77.1.1 \(port) --network \(path) --send 1000000 --hold --keep", in: lab.b)
    _ = try await client.counted()
    let truth = try await truth(lab)
    // From here on only the thread keeps it, and who looks into it just now.
    try await run(["umount", "--lazy", path])
    let monitor = try Reporter(in: lab.b, namespaces: true)
    let report = try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    #expect(report.row(pid: client.pid)?.match == "exact")
    #expect(report.balance.forwarded.view == HostView())
    try await monitor.stop()
    try await client.finish()
    try await server.finish()
  }

  /// What B's only flow has moved, from its client's view.
  private func truth(_ lab: Topology) async throws -> HostView {
    let entries = try await lab.quietConnections(of: lab.b)
    try #require(entries.count == 1)
    return FlowSum(entries).moved
  }
}
