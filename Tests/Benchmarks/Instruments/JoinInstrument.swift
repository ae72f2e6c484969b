import Glibc
import SystemRuntime
import Model
import Monitors
import Netfilter
import Ownership

/// Says whose bytes the flows moved: what a BPF program reported of sockets, else sockets and the processes that hold
/// them, and what those run. The table is read outside the measured time.
struct JoinInstrument: Instrument {
  private let table: NetlinkFlowTable
  private let host: Host
  private let floors: [KernelFloor]
  private var accounting = Accounting(filters: [MonitorFilter()])
  private var snapshot = FlowSnapshot()
  private var entries: [SocketEntry] = []
  private var index = WitnessIndex()

  /// Keeps what cannot be copied.
  private final class Host {
    var sockets = SocketTable()
    var processes: ProcessTable
    let addresses: LocalAddressReader
    /// Nil where sockets are looked up.
    let witness: WitnessListener?

    init(_ choice: WitnessChoice) throws {
      processes = try ProcessTable()
      addresses = try LocalAddressReader()
      var failures: [WitnessError] = []
      witness = try WitnessListener.open(choice, failures: &failures)
      if let failure = failures.first { throw failure }
    }
  }

  init(_ choice: WitnessChoice) throws {
    table = try NetlinkFlowTable()
    host = try Host(choice)
    floors = try [AF_INET, AF_INET6].map(KernelFloor.sockets)
  }

  mutating func measure() throws -> [(name: String, value: Double)] {
    let host = host
    try table.read(into: &snapshot, at: .now)
    let moved = accounting.advance(to: snapshot, at: .now)
    let count = moved.deltas.count
    var holders: [UInt64: [ProcessIdentity]] = [:]
    var readings: [Reading] = []
    let refresh = try Cost.of { try host.processes.refresh() }
    let report = Cost.of {
      guard let witness = host.witness else { return }
      let report = witness.report(at: .now, of: .own)
      index.advance(by: report.uses, network: witness.network, isComplete: true)
      accounting.learn(report.descriptions)
    }
    let local = try host.addresses.read()
    let sockets = try Cost.of {
      let unknown = accounting.unknown(in: moved, local: local, witness: host.witness == nil ? nil : index)
      try host.sockets.read(moved.transports(of: unknown.here), into: &entries)
    }
    // A closure takes them out, as it cannot use up what it only borrows.
    var flows: MovedFlows? = consume moved
    var ends: MovedEnds?
    let flowEnd = Cost.of {
      guard let flows = flows.take() else { return }
      ends = accounting.ends(of: flows, sockets: SocketIndex(entries), local: local, witness: index)
    }
    let hold = Cost.of { holders = host.processes.holders(of: ends?.inodes ?? []) }
    let read = Cost.of {
      guard let ends = ends.take() else { return }
      readings =
        accounting.readings(of: ends, holders: holders, isDenied: host.processes.denied > 0) {
          host.processes.description(of: $0, ancestors: false)
        }.readings
    }
    let parts = [refresh, report, sockets, flowEnd, hold, read]
    let join = Cost(cpu: parts.reduce(0) { $0 + $1.cpu }, wall: parts.reduce(0) { $0 + $1.wall })
    let floor = try Cost.of {
      for floor in floors { try floor.receive() }
      try KernelFloor.listProcesses()
    }
    let named = readings.count { $0.process != nil }
    return join.named("join") + floor.named("floor")
      + [
        ("refresh", refresh.cpu), ("events", report.cpu), ("sockets", sockets.cpu), ("ends", flowEnd.cpu),
        ("holders", hold.cpu),
        ("readings", read.cpu), ("entries", Double(entries.count)), ("moved", Double(count)),
        ("processes", Double(named)),
      ]
  }
}
