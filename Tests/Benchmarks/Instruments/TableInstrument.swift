import Model
import SystemRuntime
import Monitors
import Netfilter

/// Reads the connection table and finds what moved, beside receiving the same and throwing it away.
struct TableInstrument: Instrument {
  private let table: NetlinkFlowTable
  private let floor: KernelFloor
  private var ledger = FlowLedger()
  private var snapshot = FlowSnapshot()
  private var rounds = 0

  init() throws {
    table = try NetlinkFlowTable()
    floor = try KernelFloor.connections()
  }

  mutating func measure() throws -> [(name: String, value: Double)] {
    // Each goes first every other time.
    rounds += 1
    var received: Cost?
    if rounds.isMultiple(of: 2) { received = try Cost.of { try self.floor.receive() } }
    let read = try Cost.of { try table.read(into: &snapshot, at: .now) }
    var moved = 0
    let compared = Cost.of { moved = ledger.advance(to: snapshot, at: .now).deltas.count }
    let floor = try received ?? Cost.of { try self.floor.receive() }
    let ours = Cost(cpu: read.cpu + compared.cpu, wall: read.wall + compared.wall)
    return floor.named("floor") + ours.named("ours")
      + [("ledger", compared.cpu), ("entries", Double(snapshot.livingCount)), ("moved", Double(moved))]
  }
}
