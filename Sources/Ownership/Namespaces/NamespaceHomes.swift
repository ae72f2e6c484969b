import Model
import Netfilter

/// Which other network namespaces have an address, as far as was last read.
struct NamespaceHomes {
  private var known: [UInt64: (addresses: LocalAddresses?, turn: UInt64)] = [:]
  private var homes: [IPAddress: Set<UInt64>] = [:]
  private var turns: UInt64 = 0
  /// This network namespace's own addresses, which are never looked for elsewhere.
  var own = LocalAddresses([])

  /// The namespaces with this address; none where this one has it.
  func namespaces(with address: IPAddress) -> Set<UInt64> {
    own.contains(address) ? [] : homes[address, default: []]
  }

  /// True when all of these were read before.
  func knows(_ namespaces: some Sequence<UInt64>) -> Bool { namespaces.allSatisfy { known[$0] != nil } }

  /// True when the addresses of all that are known were read.
  var haveAnswered: Bool { known.values.allSatisfy { $0.addresses != nil } }

  /// Of the namespaces that are there now, those to be read next: all that were never read, and `again` of those
  /// read longest ago.
  func nextToRead(of present: some Sequence<UInt64>, again: Int) -> [UInt64] {
    let turns = present.map { (known[$0]?.turn ?? 0, $0) }.sorted { $0 < $1 }
    return turns.prefix(turns.count { $0.0 == 0 } + again).map(\.1)
  }

  /// Forgets all namespaces but these.
  mutating func keep(_ present: some Collection<UInt64>) {
    for namespace in Set(known.keys).subtracting(present) {
      forget(namespace)
      known[namespace] = nil
    }
  }

  /// Takes a namespace's addresses; nil when it did not answer.
  mutating func set(_ addresses: LocalAddresses?, of namespace: UInt64) {
    turns += 1
    forget(namespace)
    known[namespace] = (addresses, turns)
    // A flow of loopback never leaves its namespace.
    for address in addresses?.addresses ?? [:].keys where !address.isLoopback {
      homes[address, default: []].insert(namespace)
    }
  }

  private mutating func forget(_ namespace: UInt64) {
    for address in known[namespace]?.addresses?.addresses ?? [:].keys {
      homes[address]?.remove(namespace)
      if homes[address]?.isEmpty == true { homes[address] = nil }
    }
  }
}
