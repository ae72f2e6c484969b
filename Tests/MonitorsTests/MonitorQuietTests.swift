import Kernel
import Lab
import Model
import Testing

@testable import Monitors

/// When the flows are not asked for because no packet moves: over interfaces of a namespace of the test's own.
@Suite struct MonitorQuietTests {
  /// A table of one flow, which notes how it was read.
  private final class NotingTable: FlowTable {
    let condition = FlowTableCondition()
    private(set) var wasQuiet: [Bool] = []
    private let isOffloaded: Bool

    init(isOffloaded: Bool) { self.isOffloaded = isOffloaded }

    func read(into snapshot: inout FlowSnapshot, at now: ContinuousClock.Instant) {
      wasQuiet.append(false)
      let (client, server) = (Scenario.endpoint("10.0.0.1:4000"), Scenario.endpoint("192.0.2.9:443"))
      snapshot = FlowSnapshot(living: [
        Flow(
          id: 1, isOffloaded: isOffloaded,
          original: FlowTuple(source: client, destination: server, transport: .udp),
          reply: FlowTuple(source: server, destination: client, transport: .udp),
          counters: FlowCounters(originalBytes: 1, replyBytes: 1))
      ])
    }

    func readQuiet(into snapshot: inout FlowSnapshot, at now: ContinuousClock.Instant) {
      wasQuiet.append(true)
    }
  }

  @Test(
    .needs(.namespaces),
    arguments: [
      ("all", false, [false, false, true, true, true, false, false, true, true, false]),
      ("an offloaded flow", true, Array(repeating: false, count: 10)),
    ] as [(String, Bool, [Bool])])
  func `flows are asked for while packets move, once more, and at the end`(
    name: String, isOffloaded: Bool, expected: [Bool]
  ) async throws {
    let namespace = try await NetworkNamespace()
    // Its loopback moves what the test sends, and nothing else.
    let interfaces = try await namespace.inside { UncheckedInterfaces(table: try InterfaceTable()) }.table
    let table = NotingTable(isOffloaded: isOffloaded)
    let monitor = Monitor(
      table: table, sockets: SocketTable(root: "/nonexistent", usesNetlink: false),
      processes: try ProcessTable(), addresses: .fixed(LocalAddresses([])), filters: [MonitorFilter()],
      countsLookback: false, interfaces: interfaces, state: { ConntrackState() })
    let start = ContinuousClock.now
    for second in 0..<10 {
      if second == 5 { try await namespace.run("ping -q -c 1 127.0.0.1") }
      if second == 9 { monitor.refresh() }
      _ = try monitor.readings(until: start + .seconds(second))
    }
    #expect(table.wasQuiet == expected, "\(name)")
  }

  /// Used by one thread after the other.
  private struct UncheckedInterfaces: @unchecked Sendable {
    let table: InterfaceTable
  }
}
