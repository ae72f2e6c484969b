import Model
import Netfilter
import Ownership

/// Who used the sockets of this host in the last two intervals, found by what a flow says of its ends.
///
/// A flow is counted when a packet passes and a call when it returns. So what a call moved may be reported one
/// interval before its packets are counted, or one after.
public struct WitnessIndex: Sendable {
  private var latest = WitnessedInterval()
  private var before = WitnessedInterval()
  /// Sockets of both intervals without a peer or without ports; the inode of each is the place of its users, and one.
  private var unpaired = SocketIndex([])
  private var users: [WitnessedUsers] = []
  private let seed: UInt64
  /// How many intervals in a row each use was reported.
  private var complete = 0

  /// Makes an index in which nobody is found. `seed` keeps strangers from choosing ports whose pairs collide.
  public init(seed: UInt64 = .random(in: .min ... .max)) { self.seed = seed }

  /// True when a process of this network namespace that is not found here has used nothing.
  var isComplete: Bool { complete >= 2 }

  /// Takes what was used in the latest interval; `isComplete` says that these are all uses. `network` is the network
  /// namespace of the connection table.
  public mutating func advance(by uses: [WitnessReport.Use], network: UInt64?, isComplete: Bool) {
    complete = isComplete ? complete + 1 : 0
    before = latest
    latest = WitnessedInterval(uses, network: network, seed: seed)
    joinUnpaired()
  }

  /// Who used a socket of this network namespace that has the end `local` of a flow with the other end `remote`; nil
  /// where nobody was seen.
  func users(_ transport: TransportProtocol, local: Endpoint, remote: Endpoint) -> WitnessedUsers? {
    if transport.hasPorts, let pair = pair(transport, local, remote, elsewhere: false) { return pair }
    return switch unpaired.match(transport, local: local, remote: remote) {
    case .exact(let entry): self[entry].byBothEnds
    case .bound(let entries): entries.dropFirst().reduce(self[entries[0]]) { $0 + self[$1] }
    case .witnessed, .listening, .contested, .closing, .none: nil
    }
  }

  /// The same in other network namespaces. Only a socket that has both ends counts: an address may be another host's.
  func usersElsewhere(
    _ transport: TransportProtocol, local: Endpoint, remote: Endpoint
  ) -> WitnessedUsers? {
    guard transport.hasPorts, !local.address.isLoopback else { return nil }
    return pair(transport, local, remote, elsewhere: true)
  }

  private func pair(
    _ transport: TransportProtocol, _ local: Endpoint, _ remote: Endpoint, elsewhere: Bool
  ) -> WitnessedUsers? {
    let bits = FlowKey.bits(UInt64(transport.rawValue), local, remote, seed: seed)
    let users = latest.users(bits, transport, local, remote, elsewhere: elsewhere)
    // The kernel's threads may still send what a process gave it before.
    guard users?.isKernel ?? true,
      let earlier = before.users(bits, transport, local, remote, elsewhere: elsewhere)
    else { return users }
    return users.map { $0 + earlier } ?? earlier
  }

  private mutating func joinUnpaired() {
    var places: [SocketEntry: Int] = [:]
    var entries: [SocketEntry] = []
    users = []
    for interval in [latest, before] {
      let first = users.count
      // The kernel's own socket of ICMP sends no packet of a flow, but has no address, as others' raw sockets.
      for use in interval.unpaired where !(use.isKernel && use.socket.transport.isICMP) {
        var entry = use.socket
        (entry.inode, entry.uid) = (0, 0)
        if let known = places[entry] {
          if known >= first || users[known].isKernel { users[known].add(use) }
          continue
        }
        places[entry] = users.count
        users.append(WitnessedUsers(use))
        entry.inode = UInt64(users.count)
        entries.append(entry)
      }
    }
    unpaired = SocketIndex(entries, seed: seed)
  }

  private subscript(entry: SocketEntry) -> WitnessedUsers { users[Int(entry.inode) - 1] }
}

/// Who used sockets in one interval.
private struct WitnessedInterval: Sendable {
  private let paired: [WitnessReport.Use]
  /// Sockets of this network namespace without a peer or without ports.
  private(set) var unpaired: [WitnessReport.Use] = []
  /// Where the first use of a pair of ends is, by its bits, in this network namespace and in others.
  private var own: [UInt64: Int32] = [:]
  private var elsewhere: [UInt64: Int32] = [:]
  /// The next use with the same bits, by the place of the one before: rare.
  private var next: [Int32: Int32] = [:]

  init() { paired = [] }

  init(_ uses: [WitnessReport.Use], network: UInt64?, seed: UInt64) {
    paired = uses
    own.reserveCapacity(uses.count)
    for place in uses.indices {
      let use = uses[place]
      let socket = use.socket
      let isOwn = use.network == network
      if !socket.transport.hasPorts || socket.remote.port == 0 {
        if isOwn { unpaired.append(use) }
        continue
      }
      let bits = FlowKey.bits(UInt64(socket.transport.rawValue), socket.local, socket.remote, seed: seed)
      let former =
        isOwn
        ? own.updateValue(Int32(place), forKey: bits) : elsewhere.updateValue(Int32(place), forKey: bits)
      if let former { next[Int32(place)] = former }
    }
  }

  /// Who used a socket with these ends, which have these bits. Nil where nobody did, or sockets of several network
  /// namespaces have them.
  func users(
    _ bits: UInt64, _ transport: TransportProtocol, _ local: Endpoint, _ remote: Endpoint,
    elsewhere isElsewhere: Bool
  ) -> WitnessedUsers? {
    var place = isElsewhere ? elsewhere[bits] : own[bits]
    var found: (users: WitnessedUsers, network: UInt64)?
    while let here = place {
      place = next.isEmpty ? nil : next[here]
      guard paired[Int(here)].socket.transport == transport, paired[Int(here)].socket.local == local,
        paired[Int(here)].socket.remote == remote
      else { continue }
      let use = paired[Int(here)]
      if let known = found, known.network != use.network { return nil }
      // The latest comes first.
      found = (found.map { WitnessedUsers(use) + $0.users } ?? WitnessedUsers(use), use.network)
    }
    return found?.users.byBothEnds
  }
}

/// Those who used the sockets at one end of a flow.
public struct WitnessedUsers: Sendable, Hashable {
  /// What one of them moved, of payload.
  struct Share: Sendable, Hashable {
    var process: ProcessIdentity
    var usage: Usage
  }

  /// The first who used them, and the others: most sockets have only one.
  private var first: Share
  private var others: [Share] = []
  /// True when the kernel made the socket for itself, or none but its threads used it.
  private(set) var isKernel: Bool
  /// True when the socket has both ends of the flow, which proves that one is on this host.
  private(set) var haveBothEnds = false

  init(_ use: WitnessReport.Use) {
    first = Share(process: use.process, usage: use.usage)
    isKernel = use.isKernel
  }

  /// The one who used them where nobody else did.
  var only: ProcessIdentity? { others.isEmpty ? first.process : nil }

  /// By process, who used them first comes first.
  var shares: [Share] { [first] + others }

  /// The same, found by both ends.
  var byBothEnds: WitnessedUsers {
    var found = self
    found.haveBothEnds = true
    return found
  }

  mutating func add(_ use: WitnessReport.Use) { self = self + WitnessedUsers(use) }

  /// Both. Threads of the kernel that use the socket of a process send what it gave them, so they count only where no
  /// process does. So it is with sockets of the kernel at a port that a process uses as well.
  static func + (left: WitnessedUsers, right: WitnessedUsers) -> WitnessedUsers {
    if left.isKernel != right.isKernel { return left.isKernel ? right : left }
    var all = left
    for share in right.shares {
      if all.first.process == share.process {
        all.first.usage += share.usage
      } else if let place = all.others.firstIndex(where: { $0.process == share.process }) {
        all.others[place].usage += share.usage
      } else {
        all.others.append(share)
      }
    }
    return all
  }

  /// The one who moved most.
  var principal: ProcessIdentity {
    others.reduce(first) { $1.usage.sum > $0.usage.sum ? $1 : $0 }.process
  }

  /// Divides `usage` in proportion to what each moved in each direction, in whole bytes, and all of it. What nobody
  /// moved of payload (acknowledgements alone) is in proportion to both directions.
  func split(_ usage: Usage) -> [Share] {
    if others.isEmpty { return [Share(process: first.process, usage: usage)] }
    let shares = shares
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
