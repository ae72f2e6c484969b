import Model
import Netfilter
import Ownership
import SystemRuntime
import Testing

@testable import Monitors

/// What a reading counts when something beside the connection table cannot be read.
@Suite struct MonitorFailureTests {
  private static func snapshot(_ bytes: UInt64, isOffloaded: Bool = false) -> FlowSnapshot {
    let (client, server) = (Scenario.endpoint("10.0.0.1:4000"), Scenario.endpoint("192.0.2.9:443"))
    return FlowSnapshot(living: [
      Flow(
        id: 1, isOffloaded: isOffloaded,
        original: FlowTuple(source: client, destination: server, transport: .tcp),
        reply: FlowTuple(source: server, destination: client, transport: .tcp),
        counters: FlowCounters(originalBytes: bytes, replyBytes: 2 * bytes))
    ])
  }

  /// No table of sockets is there.
  private static func monitor(
    _ snapshots: [FlowSnapshot], condition: FlowTableCondition = FlowTableCondition(),
    state: @escaping () -> ConntrackState = { ConntrackState() }
  ) throws -> Monitor {
    let sources = MonitorSources(
      table: ScriptedTable(snapshots, condition: condition),
      sockets: SocketTable(root: "/nonexistent", usesNetlink: false),
      processes: try ProcessTable(), addresses: .fixed(LocalAddresses([Scenario.address("10.0.0.1")])))
    return Monitor(sources, options: MonitorOptions(filters: [MonitorFilter()]), state: state)
  }

  @Test func `bytes whose sockets cannot be read are counted, have no owner, and it is said once`() throws {
    let monitor = try Self.monitor([FlowSnapshot(), Self.snapshot(10), Self.snapshot(15)])
    let start = Instant.now
    _ = try monitor.readings(until: start)
    for (second, sent) in [(1, UInt64(10)), (2, 5)] {
      let measurement = try monitor.readings(until: start + .seconds(second))
      #expect(measurement.balance.total == Usage(received: 2 * sent, sent: sent))
      #expect(measurement.balance.unattributedTotal == measurement.balance.total)
      #expect(measurement.warnings.contains { $0.code == "unread_sockets" } == (second == 1))
      #expect(measurement.health.failedReads >= UInt64(second))
    }
  }

  @Test func `a table that fills is said with what fills it, and what it lost is counted`() throws {
    var state = ConntrackState(count: 1, limit: 2000, isAccounting: true, lost: 40)
    let monitor = try Self.monitor(Array(repeating: FlowSnapshot(), count: 4)) { state }
    let start = Instant.now
    let quiet = try monitor.readings(until: start)
    #expect(quiet.warnings.isEmpty && quiet.health.lostEntries == 0)
    (state.count, state.lost) = (1990, 43)
    // Believed as it was.
    #expect(try monitor.readings(until: start + .seconds(9)).warnings.isEmpty)
    let full = try monitor.readings(until: start + .seconds(10))
    #expect(full.warnings.map(\.code) == ["table_full"] && full.health.lostEntries == 3)
    #expect(try #require(full.warnings.first).text.contains("1990 of 2000"))
    state.lost = 44
    monitor.refresh()
    #expect(try monitor.readings(until: start + .seconds(11)).health.lostEntries == 4)
  }

  /// They are only compared with the flows.
  @Test(arguments: [[], [0], [0, 1], [1], [1, 2], [3], [0, 2], [2, 3, 4], [1, 2, 3, 4]])
  func `interfaces that cannot be read take no flow with them, and it is made up for`(failing: [Int]) throws {
    // The interfaces move what the flows move, and 100 bytes a second more that are sent.
    let ticks = 0..<8
    let monitor = try Self.monitor(ticks.map { Self.snapshot(UInt64(1000 * $0)) })
    var tick = 0
    monitor.untracked.meter = InterfaceMeter { () throws(KernelError) in
      if failing.contains(tick) { throw .unsupported("the list of interfaces") }
      let moved = UInt64(tick)
      return [Self.interface(received: 2000 * moved, sent: 1100 * moved)]
    }
    let start = Instant.now
    var balance = Balance()
    var said: [String] = []
    for number in ticks {
      tick = number
      let measurement = try monitor.readings(until: start + .seconds(2 * number))
      balance += measurement.balance
      said += measurement.warnings.filter { $0.code == "unread_interfaces" }
        .map { "\(number)\($0.isResolved ? "-" : "+")" }
    }
    #expect(balance.total == Usage(received: 14_000, sent: 7000))
    let first = ticks.first { !failing.contains($0) } ?? 0
    let seen = UInt64((ticks.last ?? 0) - first)
    #expect(balance.interfaces == Usage(received: 2000 * seen, sent: 1100 * seen))
    // Known one reading late.
    #expect(balance.untracked == Usage(received: 0, sent: 100 * (seen - 1)))
    #expect(said.first == failing.first.map { "\($0)+" } && said.count.isMultiple(of: 2))
  }

  private static func interface(received: UInt64, sent: UInt64) -> Interface {
    Interface(
      index: 2, name: "eth0", linkType: 0xfffe,
      counters: Interface.Counters(receivedBytes: received, sentBytes: sent))
  }

  @Test func `the first reading says why it cannot be made`() throws {
    let monitor = try Self.monitor([Self.snapshot(10)])
    #expect(throws: KernelError.self) { try monitor.readings(until: .now) }
  }

  @Test func `an offloaded flow is counted in each reading and said once`() throws {
    let monitor = try Self.monitor([0, 10].map { Self.snapshot($0, isOffloaded: true) })
    let start = Instant.now
    let both = try [start, start + .seconds(1)].map { try monitor.readings(until: $0) }
    #expect(both.map(\.health.offloaded) == [1, 1])
    #expect(both.flatMap(\.warnings).count { $0.code == "offloaded" } == 1)
  }

  @Test func `lost events are said and not added up, and the table's bytes are whole`() throws {
    var condition = FlowTableCondition()
    condition.missedEvents = 1
    // Of the flow's beginning and of its end nothing was received.
    let monitor = try Self.monitor(
      [FlowSnapshot(), Self.snapshot(10), Self.snapshot(25), FlowSnapshot()], condition: condition)
    let start = Instant.now
    let all = try (0..<4).map { try monitor.readings(until: start + .seconds($0)) }
    #expect(all.map(\.health.missedEvents) == [1, 1, 1, 1])
    #expect(all.map(\.balance.total.sent) == [0, 10, 15, 0])
    #expect(all.map(\.balance.total.received) == [0, 20, 30, 0])
  }
}
