import Lab
import Testing

/// Rows tell where a process runs, and rules may ask for it.
@Suite(
  .needs(.namespaces, .cgroups), .serialized, .laboratory(), .eachWitness, .sayingTheWitness,
  .timeLimit(.minutes(20)))
struct NamespacePlaceTests {
  private static let identifier = String(repeating: "0123456789abcdef", count: 4)

  /// A client of A in the control group of a container, with what it has moved.
  private func withContainer(_ body: (Topology, ControlGroup, Traffic, HostView) async throws -> Void)
    async throws
  {
    let lab = try await MonitorAccountingTests.readyTopology()
    let group = try ControlGroup("docker-\(Self.identifier).scope")
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let client = try Traffic(
      ["tcp", "10.77.1.2", "\(port)", "--send", "1000000", "--hold"], in: lab.a)
    try group.adopt(client.pid)
    _ = try await client.counted()
    let truth = try await lab.viewOfA()
    try await body(lab, group, client, truth)
    try await client.finish()
    try await server.finish()
  }

  @Test func `a row has the control group, the unit and the container`() async throws {
    try await withContainer { lab, group, client, truth in
      let monitor = try Reporter(in: lab.a)
      let report = try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
      let row = try #require(report.row(pid: client.pid))
      #expect(row.cgroup == group.path)
      #expect(row.unit == "docker-\(Self.identifier).scope")
      #expect(row.container == "0123456789ab")
      // That of the program itself.
      #expect(row.netns == nil)
      try await monitor.stop()
    }
  }

  @Test(arguments: ["container:^0123456789ab$", "unit:^docker-.*\\.scope$"])
  func `a rule claims by the unit and the container`(rule: String) async throws {
    try await withContainer { lab, _, client, truth in
      let folder = try ScratchFolder()
      let rules = try folder.write("[Box]\nrule=\(rule)\n[Other]\nrule=traffic\n", to: "apps.cfg")
      let aggregator = try Reporter(["--app-config", rules], program: "runaggregator", in: lab.a)
      let report = try await aggregator.report("\(truth)") { $0.row(named: "Box")?.usage == truth }
      #expect(report.row(named: "Box")?.pids == [client.pid])
      #expect(report.row(named: "Other") == nil)
      try await aggregator.stop()
    }
  }
}
