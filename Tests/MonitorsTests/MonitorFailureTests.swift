import Kernel
import Model
import Testing

@testable import Monitors

/// What a reading counts when something beside the connection table cannot be read.
@Suite struct MonitorFailureTests {
  /// A table that shows one snapshot after the other.
  private final class ScriptedTable: FlowTable {
    let condition = FlowTableCondition()
    private var rest: [FlowSnapshot]

    init(_ snapshots: [FlowSnapshot]) { rest = snapshots }

    func read(into snapshot: inout FlowSnapshot, at now: ContinuousClock.Instant) {
      snapshot = rest.removeFirst()
    }
  }

  private static func snapshot(_ bytes: UInt64) -> FlowSnapshot {
    let (client, server) = (Scenario.endpoint("10.0.0.1:4000"), Scenario.endpoint("192.0.2.9:443"))
    return FlowSnapshot(living: [
      Flow(
        id: 1, original: FlowTuple(source: client, destination: server, transport: .tcp),
        reply: FlowTuple(source: server, destination: client, transport: .tcp),
        counters: FlowCounters(originalBytes: bytes, replyBytes: 2 * bytes))
    ])
  }

  /// No table of sockets is there.
  private static func monitor(_ snapshots: [FlowSnapshot]) throws -> Monitor {
    Monitor(
      table: ScriptedTable(snapshots), sockets: SocketTable(root: "/nonexistent", usesNetlink: false),
      processes: try ProcessTable(), addresses: .fixed(LocalAddresses([Scenario.address("10.0.0.1")])),
      filters: [MonitorFilter()], countsLookback: true)
  }

  @Test func `bytes whose sockets cannot be read are counted, have no owner, and it is said`() throws {
    let monitor = try Self.monitor([FlowSnapshot(), Self.snapshot(10), Self.snapshot(15)])
    let start = ContinuousClock.now
    _ = try monitor.readings(until: start)
    for (second, sent) in [(1, UInt64(10)), (2, 5)] {
      let measurement = try monitor.readings(until: start + .seconds(second))
      #expect(measurement.balance.total == Usage(received: 2 * sent, sent: sent))
      #expect(measurement.balance.unattributedTotal == measurement.balance.total)
      #expect(measurement.warnings.contains { $0.code == "unread_sockets" })
      #expect(measurement.health.failedReads >= UInt64(second))
    }
  }

  @Test func `the first reading says why it cannot be made`() throws {
    let monitor = try Self.monitor([Self.snapshot(10)])
    #expect(throws: KernelError.self) { try monitor.readings(until: .now) }
  }
}
