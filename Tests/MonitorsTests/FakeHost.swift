import Lab
import Model
import Netfilter
import Ownership

@testable import Monitors

/// A host of text files, as procfs shows its processes, sockets and connections, with the address 10.0.0.1.
final class FakeHost {
  let proc = ProcessesFakeProc()
  /// What the flows of the table moved since the last tick: twice where both ends are here, or neither.
  private var moved: UInt64 = 0

  private struct Socket {
    var inode: UInt64
    var transport: String
    var local: Endpoint
    var remote: Endpoint
  }

  private struct Entry {
    var ends: String
    var zone: UInt16
    var counters: (original: UInt64, reply: UInt64)
    var isOffloaded: Bool
  }

  private static let addresses = LocalAddresses([Scenario.address("10.0.0.1")])
  private var sockets: [Socket] = []
  private var entries: [Entry] = []

  init() {
    proc.folder("net")
    writeFiles()
  }

  /// Makes the monitor of this host; it reads the connections from `table`, else from the files.
  func monitor(
    of table: (any FlowTable)? = nil, filters: [MonitorFilter] = [MonitorFilter()],
    witness: (any SocketWitness)? = nil
  ) throws -> Monitor {
    let sources = MonitorSources(
      table: try table ?? ProcfsFlowTable(root: proc.path),
      sockets: SocketTable(root: proc.path, usesNetlink: false),
      processes: try ProcessTable(root: proc.path), addresses: .fixed(Self.addresses))
    return Monitor(
      sources, witness: witness, options: MonitorOptions(filters: filters),
      state: { ConntrackState(isAccounting: true) })
  }

  /// Makes a socket: `tcp 10.0.0.1:80 192.0.2.9:5000`, or `tcp *:80` for one without a peer. One with a peer takes the
  /// place of another with its ends, as the accepted one that of the one that nobody has yet (inode 0).
  func addSocket(_ inode: UInt64, _ text: String) {
    let words = text.split(separator: " ").map(String.init)
    let (local, remote) = (Scenario.endpoint(words[1]), Scenario.endpoint(words.count > 2 ? words[2] : "*"))
    if remote.port != 0 { sockets.removeAll { $0.local == local && $0.remote == remote } }
    sockets.append(Socket(inode: inode, transport: words[0], local: local, remote: remote))
  }

  /// Closes a socket.
  func removeSocket(_ inode: UInt64) { sockets.removeAll { $0.inode == inode } }

  /// Sets an entry of the connection table: `tcp 10.0.0.1:4000 192.0.2.9:443`, its bytes in both directions.
  func setFlow(_ ends: String, zone: UInt16, _ original: UInt64, _ reply: UInt64, isOffloaded: Bool) {
    let place = entries.firstIndex { $0.ends == ends && $0.zone == zone }
    let old = place.map { entries.remove(at: $0).counters } ?? (original: 0, reply: 0)
    // Counters that fell are another flow's.
    let isNew = original < old.original || reply < old.reply
    let sum = isNew ? original + reply : original - old.original + reply - old.reply
    let here = ends.split(separator: " ").dropFirst().count {
      Self.addresses.contains(Scenario.endpoint(String($0)).address)
    }
    moved += here == 1 ? sum : 2 * sum
    entries.insert(
      Entry(ends: ends, zone: zone, counters: (original, reply), isOffloaded: isOffloaded), at: place ?? 0)
  }

  /// Takes an entry out of the connection table.
  func removeFlow(_ ends: String) { entries.removeAll { $0.ends == ends } }

  /// Writes all that changed since the last tick.
  func writeFiles() {
    for transport in ["tcp", "udp", "icmp", "raw"] {
      let lines = sockets.filter { $0.transport == transport }.map(Self.line)
      proc.write("net/\(transport)", Array((["  sl  local_address"] + lines).joined(separator: "\n").utf8))
    }
    proc.write("net/nf_conntrack", Array(entries.map(Self.line).joined(separator: "\n").utf8))
  }

  /// Takes what the flows moved since this was last asked.
  func takeMoved() -> UInt64 {
    defer { moved = 0 }
    return moved
  }

  /// A line of /proc/net/tcp (proc(5)).
  private static func line(_ socket: Socket) -> String {
    let withoutPeer = socket.transport == "tcp" ? "0A" : "07"
    let state = socket.remote.port == 0 ? withoutPeer : "01"
    return "   0: \(hexadecimal(socket.local)) \(hexadecimal(socket.remote)) \(state)"
      + " 00000000:00000000 00:00000000 00000000     0        0 \(socket.inode) 1 0000000000000000 20 4 30 10 -1"
  }

  /// An address as a number of this machine's order, and a port.
  private static func hexadecimal(_ end: Endpoint) -> String {
    let digits = [
      (String((end.address.v4Bits ?? 0).bigEndian, radix: 16), 8), (String(end.port, radix: 16), 4),
    ]
    return digits.map { String(repeating: "0", count: $1 - $0.count) + $0.uppercased() }.joined(
      separator: ":")
  }

  /// A line of /proc/net/nf_conntrack.
  private static func line(_ entry: Entry) -> String {
    let words = entry.ends.split(separator: " ").map(String.init)
    let ends = (Scenario.endpoint(words[1]), Scenario.endpoint(words[2]))
    let number = ["tcp": 6, "udp": 17, "icmp": 1][words[0]] ?? 253
    let original = direction(ends.0, ends.1, pingType: number == 1 ? 8 : nil, entry.counters.original)
    let reply = direction(ends.1, ends.0, pingType: number == 1 ? 0 : nil, entry.counters.reply)
    return "ipv4     2 \(words[0])      \(number) 30 \(original) \(reply)"
      + (entry.isOffloaded ? " [OFFLOAD]" : "") + " mark=0 zone=\(entry.zone) use=2"
  }

  private static func direction(
    _ source: Endpoint, _ destination: Endpoint, pingType: Int?, _ bytes: UInt64
  ) -> String {
    let ports = pingType.map { "type=\($0) code=0 id=77" } ?? "sport=\(source.port) dport=\(destination.port)"
    return "src=\(source.address) dst=\(destination.address) \(ports) packets=1 bytes=\(bytes)"
  }
}
