import Model
import Netfilter
import Ownership
import SystemRuntime

/// Names clients of this host by the process that holds their socket. Reads the kernel's tables only while there are
/// connections without a name.
struct ClientNames: ~Copyable {
  private var sockets = SocketTable()
  private var processes: ProcessTable?
  private var entries: [SocketEntry] = []

  /// Opens procfs; without it clients keep their addresses.
  init() { processes = try? ProcessTable() }

  /// Gives each connection of `ledger` that has none a name: its process, or its address where that is not to be had.
  mutating func name(_ ledger: ClientLedger) {
    let unnamed = ledger.takeUnnamed()
    guard !unnamed.isEmpty else { return }
    let inodes = inodes(of: unnamed)
    do throws(KernelError) { try processes?.refresh() } catch { processes = nil }
    let holders = processes?.holders(of: Set(inodes.compactMap(\.self))) ?? [:]
    for (connection, inode) in zip(unnamed, inodes) {
      guard let holder = inode.flatMap({ holders[$0]?.first }),
        let process = processes?.description(of: holder, ancestors: false)
      else {
        ledger.name(connection, .address(connection.source.address))
        continue
      }
      ledger.name(connection, .process(holder, name: process.commandLine, uid: process.uid))
    }
  }

  /// The inode of the client's end of each connection; nil where that is none of this host's.
  private mutating func inodes(of unnamed: [ClientLedger.Unnamed]) -> [UInt64?] {
    do throws(KernelError) { try sockets.read([.tcp], into: &entries) } catch { entries = [] }
    var known: [ClientLedger.Pair: UInt64] = [:]
    for entry in entries where entry.inode != 0 {
      known[ClientLedger.Pair(source: entry.local, destination: entry.remote)] = entry.inode
    }
    return unnamed.map { known[ClientLedger.Pair(source: $0.source, destination: $0.destination)] }
  }
}

extension ClientLedger {
  /// The two ends of a connection.
  struct Pair: Hashable {
    var source: Endpoint
    var destination: Endpoint
  }
}
