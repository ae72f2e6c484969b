import Glibc
import Kernel
import Model
import Monitors

/// Says whose bytes the flows moved: sockets, processes that hold them, what those run. The table is read outside
/// the measured time.
struct JoinInstrument: Instrument {
  private let table: NetlinkFlowTable
  private let host: Host
  private let floors: [KernelFloor]
  private var accounting = Accounting(filters: [MonitorFilter()])
  private var snapshot = FlowSnapshot()
  private var entries: [SocketEntry] = []

  /// Keeps what cannot be copied.
  private final class Host {
    var sockets = SocketTable()
    var processes: ProcessTable
    let addresses: LocalAddressReader

    init() throws {
      processes = try ProcessTable()
      addresses = try LocalAddressReader()
    }
  }

  init() throws {
    table = try NetlinkFlowTable()
    host = try Host()
    floors = try [AF_INET, AF_INET6].map(KernelFloor.sockets)
  }

  mutating func measure() throws -> [(name: String, value: Double)] {
    let host = host
    try table.read(into: &snapshot, at: .now)
    let deltas = accounting.advance(to: snapshot, at: .now)
    var claims: [Claim] = []
    var holders: [UInt64: [ProcessIdentity]] = [:]
    var readings: [Reading] = []
    let refresh = try Cost.of { try host.processes.refresh() }
    let sockets = try Cost.of {
      try host.sockets.read(Accounting.transports(of: deltas, in: snapshot.flows), into: &entries)
    }
    let claim = try Cost.of {
      claims = accounting.claims(
        of: deltas, in: snapshot.flows, sockets: SocketIndex(entries), local: try host.addresses.read())
    }
    let hold = Cost.of { holders = host.processes.holders(of: Accounting.inodes(of: claims)) }
    let read = Cost.of {
      readings =
        accounting.readings(of: claims, holders: holders, isDenied: host.processes.denied > 0) {
          host.processes.description(of: $0, ancestors: false)
        }.readings
    }
    let parts = [refresh, sockets, claim, hold, read]
    let join = Cost(cpu: parts.reduce(0) { $0 + $1.cpu }, wall: parts.reduce(0) { $0 + $1.wall })
    let floor = try Cost.of {
      for floor in floors { try floor.receive() }
      try KernelFloor.listProcesses()
    }
    let named = readings.count { $0.process != nil }
    return join.named("join") + floor.named("floor")
      + [
        ("refresh", refresh.cpu), ("sockets", sockets.cpu), ("claims", claim.cpu), ("holders", hold.cpu),
        ("readings", read.cpu), ("entries", Double(entries.count)), ("moved", Double(deltas.count)),
        ("processes", Double(named)),
      ]
  }
}
