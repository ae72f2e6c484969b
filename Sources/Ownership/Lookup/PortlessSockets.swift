import Model
import Netfilter

/// Finds the sockets of protocols without ports that fit a new flow, which no look-up finds by its ends: small tables
/// are read whole, and so only so often.
struct PortlessSockets: ~Copyable {
  /// Reads a second, and at once after a pause. One takes some 50 to 200 us.
  static let perSecond = 200

  /// Flows that were not looked at because there were too many, since start.
  private(set) var unread: UInt64 = 0
  /// Answers that could not be understood, since start.
  var malformed: UInt64 { table.malformed }
  private var table: SocketTable
  private var entries: [SocketEntry] = []
  private var allowance: SearchAllowance

  init(_ table: consuming SocketTable, at now: Instant) {
    self.table = table
    allowance = SearchAllowance(capacity: Self.perSecond, perSecond: Self.perSecond, at: now)
  }

  /// The sockets of this network namespace that fit the end `tuple.source`.
  mutating func match(_ tuple: FlowTuple, at now: Instant) -> PortlessMatch {
    guard allowance.available(at: now) > 0 else {
      unread += 1
      return .none
    }
    allowance.spend(1)
    // A ping socket is the one, whatever raw sockets there are.
    if tuple.transport.isICMP, case .ping(let socket) = match(tuple, among: [tuple.transport]) {
      return .ping(socket)
    }
    return match(tuple, among: [.raw])
  }

  private mutating func match(_ tuple: FlowTuple, among transports: Set<TransportProtocol>) -> PortlessMatch {
    // A kernel without such sockets has no table of them.
    guard (try? table.read(transports, into: &entries)) != nil else { return .none }
    return PortlessMatch(entries, tuple.transport, local: tuple.source, remote: tuple.destination)
  }
}
