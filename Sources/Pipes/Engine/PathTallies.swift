import Model
import Synchronization

/// What a pipe moved through each address of this host: a byte passes by the address that its client connected to, and by
/// the one towards the target.
final class PathTallies: Sendable {
  /// The addresses that are told apart; what moves through more is counted for none.
  static let limit = 64

  private let tallies = Mutex<[IPAddress: ByteCounters]>([:])

  /// Where to count what moves through `address`; nil where there is no room, or the address is not known.
  func tally(of address: IPAddress?) -> ByteCounters? {
    guard let address else { return nil }
    return tallies.withLock { tallies in
      if let tally = tallies[address] { return tally }
      guard tallies.count < Self.limit else { return nil }
      let tally = ByteCounters()
      tallies[address] = tally
      return tally
    }
  }

  /// What moved so far through each, as this host sees it.
  var usages: [IPAddress: Usage] { tallies.withLock { $0.mapValues(\.usage) } }
}
