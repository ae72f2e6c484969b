import Model
import SystemRuntime
import Netfilter

@testable import Monitors

/// A host in a table: its addresses, sockets and processes, and the flows that its kernel counts.
struct Scenario {
  var local = LocalAddresses(
    [Self.address("10.0.0.1"), Self.address("2001:db8::1")], broadcasts: [Self.address("10.0.0.255")])
  var sockets: [SocketEntry] = []
  var holders: [UInt64: [ProcessIdentity]] = [:]
  var commandLines: [Int32: String] = [:]
  var isDenied = false
  var flows: [Flow] = []
  /// Entries that end with the next tick.
  var ended: [Flow] = []
  /// What was seen of new flows before the next tick.
  var earlyOwners: [EarlyOwner] = []
  /// Other network namespaces: their addresses and sockets.
  var namespaces: [UInt64: (addresses: [String], sockets: [SocketEntry])] = [:]
  /// False when there are more of them, which could not be asked.
  var areAllNamespacesKnown = true
  /// The interfaces, where tunnels matter.
  var interfaces: [Interface] = []
  /// Who was reported to use which socket.
  var witness = WitnessIndex()
  /// Addresses of whose interfaces it is asked who moved how much there, and what passed them in the last tick.
  var paths: [String] = []
  private(set) var passed: [PathUsage] = []

  private var accounting: Accounting
  private var nextInode: UInt64 = 100
  private var now = Instant.now

  init(filters: [MonitorFilter] = [MonitorFilter()], hiding pid: Int32? = nil) {
    accounting = Accounting(filters: filters, hiding: pid, seed: 3)
  }

  static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .anyV6 }

  /// `10.0.0.1:80`, `[::1]:80`, `*:80` (any IPv4), `[*]:80` (any IPv6), `*` (no peer).
  static func endpoint(_ text: String) -> Endpoint {
    let colon = text.lastIndex(of: ":") ?? text.endIndex
    let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
    let port = colon == text.endIndex ? 0 : UInt16(text[text.index(after: colon)...]) ?? 0
    let any = text.hasPrefix("[") ? IPAddress.anyV6 : .anyV4
    return Endpoint(address: host == "*" ? any : address(host), port: port)
  }

  static func process(_ pid: Int32) -> ProcessIdentity {
    ProcessIdentity(pid: pid, startTime: UInt64(pid) * 10)
  }

  /// A socket and who holds it; `pids` empty: nobody.
  @discardableResult
  mutating func socket(
    _ transport: TransportProtocol, _ local: String, _ remote: String = "*", state: SocketEntry.State = .open,
    v6Only: Bool = false, heldBy pids: Int32...
  ) -> UInt64 {
    nextInode += 1
    let localEnd = Self.endpoint(local)
    sockets.append(
      SocketEntry(
        transport: transport, isV6: local.hasPrefix("["), isV6Only: v6Only, state: state, local: localEnd,
        remote: Self.endpoint(remote), inode: state == .closing ? 0 : nextInode, uid: 0))
    holders[nextInode] = pids.map(Self.process).sorted()
    return nextInode
  }

  /// A connection that is made or being made, and not yet accepted: it has a socket that nobody holds.
  mutating func unaccepted(_ local: String, _ remote: String) {
    sockets.append(
      SocketEntry(
        transport: .tcp, isV6: false, state: .open, local: Self.endpoint(local),
        remote: Self.endpoint(remote),
        inode: 0, uid: 0))
  }

  /// A socket of another network namespace, which has its address already.
  mutating func socket(
    in namespace: UInt64, _ transport: TransportProtocol, _ local: String, _ remote: String = "*",
    state: SocketEntry.State = .open, heldBy pid: Int32
  ) {
    socket(transport, local, remote, state: state, heldBy: pid)
    let socket = sockets.removeLast()
    namespaces[namespace, default: ([], [])].sockets.append(socket)
  }

  /// An entry of the connection table; `reply` defaults to the original turned round.
  mutating func flow(
    _ id: UInt32, _ transport: TransportProtocol, _ source: String, _ destination: String,
    reply: (String, String)? = nil, bytes: (original: UInt64, reply: UInt64)
  ) {
    flows.removeAll { $0.id == id }
    flows.append(
      Flow(
        id: id,
        original: FlowTuple(
          source: Self.endpoint(source), destination: Self.endpoint(destination), transport: transport),
        reply: FlowTuple(
          source: Self.endpoint(reply?.0 ?? destination), destination: Self.endpoint(reply?.1 ?? source),
          transport: transport),
        counters: FlowCounters(originalBytes: bytes.original, replyBytes: bytes.reply)))
  }

  /// How many ends of flows have a known owner.
  var remembered: Int { accounting.attribution.remembered }

  /// Processes that had ended when the last tick was made.
  mutating func retire(_ pids: Int32...) { accounting.retire(pids.map(Self.process)) }

  /// One tick, a second after the one before: what each owner moved, and the balance.
  mutating func tick() -> (owners: [Owner: Usage], balance: Balance, readings: [Reading]) {
    now += .seconds(1)
    let moved = accounting.advance(
      to: FlowSnapshot(living: flows, ended: ended, earlyOwners: earlyOwners), at: now)
    earlyOwners = []
    ended = []
    var index = NamespaceIndex(
      namespaces.mapValues { LocalAddresses($0.addresses.map(Self.address)) },
      isComplete: areAllNamespacesKnown)
    for namespace in index.concerned(by: moved.deltas, in: moved.flows, local: local) {
      index.insert(namespaces[namespace]?.sockets ?? [], of: namespace)
    }
    let ends = accounting.ends(
      of: moved, sockets: SocketIndex(sockets), local: local, namespaces: index,
      carriers: TunnelCarriers(of: interfaces), witness: witness,
      paths: PathInterfaces(of: paths.map(Self.address), local))
    let names = commandLines
    let result = accounting.readings(of: ends, holders: holders, isDenied: isDenied) { identity in
      ProcessDescription(
        identity: identity, uid: 0, executable: nil, arguments: [],
        commandLine: names[identity.pid] ?? "process \(identity.pid)")
    }
    passed = result.paths
    let owners = Dictionary(result.readings.map { ($0.owner, $0.usage) }, uniquingKeysWith: +)
    return (owners, result.balance, result.readings)
  }
}

extension Owner {
  /// The process that `Scenario.process` makes for this pid.
  static func pid(_ pid: Int32) -> Owner { .process(Scenario.process(pid)) }
}

extension Usage {
  init(_ received: UInt64, _ sent: UInt64) { self.init(received: received, sent: sent) }
}
