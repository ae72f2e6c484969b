import Model
import Netfilter

/// Pipes of one program that lead round to each other. Does no I/O.
struct Ring {
  /// A pipe, as far as it is known where it listens and where it leads.
  struct Way {
    var name: String
    var places: [Endpoint]
    var targets: [Endpoint]
  }

  private let next: [[Int]]
  private var isSettled: [Bool]
  private var path: [Int] = []

  /// The names of pipes of which each leads to the next and the last to the first; nil where there are none. One that
  /// leads to itself is alone.
  static func find(in ways: [Way], local: LocalAddresses) -> [String]? {
    var ring = Ring(ways, local)
    for index in ways.indices {
      if let found = ring.follow(index) { return found.map { ways[$0].name } }
    }
    return nil
  }

  private init(_ ways: [Way], _ local: LocalAddresses) {
    var listening: [UInt16: Set<Int>] = [:]
    for (index, way) in ways.enumerated() {
      for place in way.places { listening[place.port, default: []].insert(index) }
    }
    next = ways.map { way in
      Set(way.targets.map(\.port)).flatMap { listening[$0] ?? [] }.sorted().filter {
        LoopCheck(listening: ways[$0].places, local: local).loop(in: way.targets) != nil
      }
    }
    isSettled = Array(repeating: false, count: ways.count)
  }

  private mutating func follow(_ index: Int) -> [Int]? {
    if let start = path.firstIndex(of: index) { return Array(path[start...]) }
    guard !isSettled[index] else { return nil }
    path.append(index)
    for other in next[index] {
      if let found = follow(other) { return found }
    }
    path.removeLast()
    isSettled[index] = true
    return nil
  }
}

/// Whether a pipe would forward to itself. Does no I/O.
struct LoopCheck: Sendable {
  /// Where the pipe listens; `::` for IPv6 alone.
  var listening: [Endpoint]
  /// The addresses of this host.
  var local: LocalAddresses

  /// The first of `targets` that leads back to the pipe; nil when none does.
  func loop(in targets: [Endpoint]) -> Endpoint? {
    targets.first { target in listening.contains { leads(target, to: $0) } }
  }

  private func leads(_ target: Endpoint, to listener: Endpoint) -> Bool {
    guard target.port == listener.port else { return false }
    // An unspecified target is this host (ip(7)); so is all of 127.0.0.0/8.
    let isHere = target.address.isUnspecified || target.address.isLoopback || local.contains(target.address)
    if target.address == listener.address { return true }
    guard target.address.isV4 == listener.address.isV4 else { return false }
    if target.address.isUnspecified { return listener.address.isUnspecified || listener.address.isLoopback }
    return listener.address.isUnspecified && isHere
  }
}
