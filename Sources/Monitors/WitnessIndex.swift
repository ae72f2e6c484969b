import Kernel
import Model

/// Who used the sockets of this host in the last two intervals, found by what a flow says of its ends.
///
/// A flow is counted when a packet passes and a call when it returns. So what a call moved may be told one interval
/// before its packets are counted, or one after.
public struct WitnessIndex: Sendable {
  private struct Place: Hashable {
    var transport: TransportProtocol
    var local: Endpoint
    var remote: Endpoint
    var network: UInt64
  }

  private var users: [WitnessedUsers] = []
  private let own: SocketIndex
  private let elsewhere: SocketIndex

  /// Makes an index in which nobody is found.
  public init() { self.init([], network: nil) }

  /// Indexes what was used in the latest interval, and what was used only in the one before. `network` is the network
  /// namespace of the connection table.
  public init(_ latest: [WitnessNews.Use], before: [WitnessNews.Use] = [], network: UInt64?) {
    var places: [Place: Int] = [:]
    var users: [WitnessedUsers] = []
    var (here, there): ([SocketEntry], [SocketEntry]) = ([], [])
    func add(_ uses: [WitnessNews.Use], from first: Int) {
      for use in uses {
        let place = Place(
          transport: use.socket.transport, local: use.socket.local, remote: use.socket.remote,
          network: use.network)
        if let known = places[place] {
          if known >= first { users[known].add(use) }
          continue
        }
        places[place] = users.count
        users.append(WitnessedUsers(use))
        var entry = use.socket
        // By this the index gives it back: its place, and one.
        entry.inode = UInt64(users.count)
        if use.network == network { here.append(entry) } else { there.append(entry) }
      }
    }
    add(latest, from: 0)
    add(before, from: users.count)
    self.users = users
    own = SocketIndex(here)
    elsewhere = SocketIndex(there)
  }

  /// Who used a socket of this network namespace that has the end `local` of a flow with the other end `remote`; nil
  /// where nobody was seen.
  func users(_ transport: TransportProtocol, local: Endpoint, remote: Endpoint) -> WitnessedUsers? {
    switch own.match(transport, local: local, remote: remote) {
    case .exact(let entry): self[entry].byBothEnds
    case .bound(let entries): entries.dropFirst().reduce(self[entries[0]]) { $0 + self[$1] }
    case .witnessed, .listening, .contested, .closing, .none: nil
    }
  }

  /// The same in other network namespaces. Only a socket that has both ends counts: an address may be another host's.
  func usersElsewhere(
    _ transport: TransportProtocol, local: Endpoint, remote: Endpoint
  ) -> WitnessedUsers? {
    guard transport.hasPorts, !local.address.isLoopback,
      case .exact(let entry) = elsewhere.match(transport, local: local, remote: remote)
    else { return nil }
    return self[entry].byBothEnds
  }

  private subscript(entry: SocketEntry) -> WitnessedUsers { users[Int(entry.inode) - 1] }
}

/// Those who used the sockets at one end of a flow.
public struct WitnessedUsers: Sendable, Hashable {
  /// What one of them moved, of payload.
  struct Share: Sendable, Hashable {
    var process: ProcessIdentity
    var usage: Usage
  }

  /// By process, who used them first comes first.
  private(set) var shares: [Share]
  /// True when the kernel made a socket for itself.
  private(set) var isKernel: Bool
  /// True when the socket has both ends of the flow, which proves that one is on this host.
  private(set) var haveBothEnds = false

  init(_ use: WitnessNews.Use) {
    shares = [Share(process: use.process, usage: use.usage)]
    isKernel = use.isKernel
  }

  /// The same, found by both ends.
  var byBothEnds: WitnessedUsers {
    var found = self
    found.haveBothEnds = true
    return found
  }

  mutating func add(_ use: WitnessNews.Use) { self = self + WitnessedUsers(use) }

  static func + (left: WitnessedUsers, right: WitnessedUsers) -> WitnessedUsers {
    var all = left
    all.isKernel = left.isKernel || right.isKernel
    for share in right.shares {
      if let place = all.shares.firstIndex(where: { $0.process == share.process }) {
        all.shares[place].usage += share.usage
      } else {
        all.shares.append(share)
      }
    }
    return all
  }

  /// The one who moved most.
  var principal: ProcessIdentity? {
    shares.max { $0.usage.received + $0.usage.sent < $1.usage.received + $1.usage.sent }?.process
  }

  /// Divides `usage` in proportion to what each moved in each direction, in whole bytes, and all of it. What nobody
  /// moved of payload (acknowledgements alone) is in proportion to both directions.
  func split(_ usage: Usage) -> [Share] {
    if shares.count == 1 { return [Share(process: shares[0].process, usage: usage)] }
    let both = shares.map { $0.usage.received + $0.usage.sent }
    func weights(_ direction: [UInt64]) -> [UInt64] { direction.contains { $0 > 0 } ? direction : both }
    let received = Self.divide(usage.received, weights(shares.map(\.usage.received)))
    let sent = Self.divide(usage.sent, weights(shares.map(\.usage.sent)))
    return shares.indices.map {
      Share(process: shares[$0].process, usage: Usage(received: received[$0], sent: sent[$0]))
    }.filter { !$0.usage.isZero }
  }

  /// Divides `total` in proportion to `weights`, the largest remainders first; without weights the first has it all.
  static func divide(_ total: UInt64, _ weights: [UInt64]) -> [UInt64] {
    let sum = weights.reduce(0, +)
    guard sum > 0 else { return weights.indices.map { $0 == 0 ? total : 0 } }
    var parts = weights.map { weight in
      let product = total.multipliedFullWidth(by: weight)
      return sum.dividingFullWidth(product)
    }
    let rest = total - parts.reduce(0) { $0 + $1.quotient }
    let order = parts.indices.sorted { (parts[$0].remainder, $1) > (parts[$1].remainder, $0) }
    for place in order.prefix(Int(rest)) { parts[place].quotient += 1 }
    return parts.map(\.quotient)
  }
}
