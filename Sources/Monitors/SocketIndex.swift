import Model
import Netfilter

/// The sockets of this host, found by what a flow says of its ends.
public struct SocketIndex: Sendable {
  /// What fits a flow's end, best first.
  public enum Match: Sendable, Hashable {
    /// The socket with exactly this pair of ends.
    case exact(SocketEntry)
    /// Sockets without a peer that take what comes to this port, all equally near; never empty.
    case bound([SocketEntry])
    /// Sockets that wait for connections to this port, all equally near; never empty.
    case listening([SocketEntry])
    /// Sockets whose users the kernel reported.
    case witnessed(WitnessedUsers)
    /// Sockets in more than one network namespace, all equally near.
    case contested
    /// Only a socket that its process has closed already.
    case closing
    /// None.
    case none
  }

  private struct Port: Hashable {
    var transport: TransportProtocol
    var number: UInt16
  }

  private let sockets: [SocketEntry]
  /// Where in `sockets` a pair of ends is, by its bits as FlowKey mixes them: a tenth of the memory, and of the
  /// hashing, of the pair itself.
  private var pairs: [UInt64: Int] = [:]
  /// Sockets with the same pair of ends as another (SO_REUSEPORT, or one address on two links): rare.
  private var twins: [UInt64: [Int]] = [:]
  private var ports: [Port: [SocketEntry]] = [:]
  private var raw: [TransportProtocol: [SocketEntry]] = [:]

  private let seed: UInt64

  /// Indexes `sockets`. `seed` keeps strangers from choosing ports whose pairs collide.
  public init(_ sockets: [SocketEntry], seed: UInt64 = .random(in: .min ... .max)) {
    self.sockets = sockets
    self.seed = seed
    pairs.reserveCapacity(sockets.count)
    for place in sockets.indices { insert(sockets[place], at: place) }
  }

  private mutating func insert(_ socket: SocketEntry, at place: Int) {
    if !socket.transport.hasPorts {
      raw[socket.transport, default: []].append(socket)
    } else if socket.remote.port == 0 {
      ports[Port(transport: socket.transport, number: socket.local.port), default: []].append(socket)
    } else {
      let bits = bits(socket.transport, socket.local, socket.remote)
      guard let old = pairs.updateValue(place, forKey: bits), sockets[old].inode != 0 else { return }
      // A closed socket may linger beside the one that uses the same ends again.
      if socket.inode == 0 { pairs[bits] = old } else { twins[bits, default: []].append(old) }
    }
  }

  /// Returns what fits the end `local` of a flow whose other end is `remote`.
  public func match(_ transport: TransportProtocol, local: Endpoint, remote: Endpoint) -> Match {
    if !transport.hasPorts { return portlessMatch(transport, local: local, remote: remote) }
    let pair = pair(transport, local, remote)
    if let pair, pair.inode != 0 {
      let others = twins.isEmpty ? nil : twins[bits(transport, local, remote)]
      guard let others else { return .exact(pair) }
      return .bound(others.map { sockets[$0] }.filter { $0.local == local && $0.remote == remote } + [pair])
    }
    let nearest = nearest(ports[Port(transport: transport, number: local.port)] ?? [], to: local.address)
    guard let first = nearest.first else { return pair == nil ? .none : .closing }
    guard first.state == .listening else { return .bound(nearest) }
    // A connection belongs to the listener only until it is accepted: it has a socket, and nobody holds it yet.
    guard let pair, pair.state == .open else { return pair == nil ? .none : .closing }
    return .listening(nearest)
  }

  /// The socket with exactly these ends. Of two pairs with the same bits, which one in 2^64 has, one is not found;
  /// neither is taken for the other.
  private func pair(_ transport: TransportProtocol, _ local: Endpoint, _ remote: Endpoint) -> SocketEntry? {
    guard let place = pairs[bits(transport, local, remote)] else { return nil }
    let socket = sockets[place]
    let fits = socket.transport == transport && socket.local == local && socket.remote == remote
    return fits ? socket : nil
  }

  private func bits(_ transport: TransportProtocol, _ local: Endpoint, _ remote: Endpoint) -> UInt64 {
    FlowKey.bits(UInt64(transport.rawValue), local, remote, seed: seed)
  }

  private func portlessMatch(_ transport: TransportProtocol, local: Endpoint, remote: Endpoint) -> Match {
    let sockets = (raw[transport] ?? []) + (raw[.raw] ?? [])
    return switch PortlessMatch(sockets, transport, local: local, remote: remote) {
    case .ping(let socket): .exact(socket)
    case .raw(let sockets): .bound(sockets)
    case .none: .none
    }
  }

  /// Those bound to the address itself, else to any of its family, else to any of both families.
  private func nearest(_ sockets: [SocketEntry], to address: IPAddress) -> [SocketEntry] {
    let levels: [(SocketEntry) -> Bool] = [
      { $0.local.address == address },
      { $0.local.address.isUnspecified && $0.isV6 == !address.isV4 },
      { $0.local.address.isUnspecified && $0.isV6 && !$0.isV6Only && address.isV4 },
    ]
    for level in levels {
      // Usually all of them: then no new array is made for each of the flows of a busy port.
      if !sockets.isEmpty, sockets.allSatisfy(level) { return sockets }
      let found = sockets.filter(level)
      if !found.isEmpty { return found }
    }
    return []
  }
}
