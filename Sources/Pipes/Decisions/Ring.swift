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
