import Model
import SystemPackage

/// Connecting to a host with several addresses (RFC 8305, "Happy Eyeballs"). Does no I/O.
///
/// The next address is tried when the last attempt has failed or taken 250 ms; the first that answers wins.
package struct Dial: Sendable, Equatable {
  /// What is to be done.
  package enum Action: Sendable, Equatable {
    /// Start to connect to the address at this index.
    case start(Int)
    /// Use this attempt and drop the others.
    case use(Int)
    /// Nothing is left to try.
    case giveUp(Errno)
    /// Wait for an attempt or for `nextAttempt`.
    case wait
  }

  /// How long the next address waits for the last attempt (RFC 8305, section 5).
  package static let delay = Duration.milliseconds(250)
  /// How many addresses of a host are tried.
  package static let addressLimit = 16

  /// When the next address is due; nil when there is none.
  package private(set) var nextAttempt: Instant?

  private let count: Int
  private var started = 0
  private var underWay = 0
  private var lastError = Errno.hostIsDown

  /// Prepares to try `count` addresses in their order.
  package init(count: Int, at now: Instant) {
    self.count = min(count, Self.addressLimit)
    nextAttempt = count > 0 ? now : nil
  }

  /// What is to be done at `now`.
  package mutating func advance(to now: Instant) -> Action {
    guard started < count else { return underWay > 0 ? .wait : .giveUp(lastError) }
    if let nextAttempt, nextAttempt > now { return .wait }
    defer { started += 1 }
    underWay += 1
    nextAttempt = started + 1 < count ? now + Self.delay : nil
    return .start(started)
  }

  /// An attempt failed: the next need not wait.
  package mutating func failed(_ error: Errno, at now: Instant) -> Action {
    underWay -= 1
    lastError = error
    if nextAttempt != nil { nextAttempt = now }
    return advance(to: now)
  }

  /// The attempt at `index` is connected.
  package mutating func connected(_ index: Int) -> Action {
    nextAttempt = nil
    started = count
    return .use(index)
  }

  /// Orders addresses so that the families alternate, beginning with that of the first (RFC 8305, section 4).
  package static func interleaved(_ endpoints: [ZonedEndpoint]) -> [ZonedEndpoint] {
    guard let first = endpoints.first?.endpoint.address else { return [] }
    let preferred = endpoints.filter { $0.endpoint.address.isV4 == first.isV4 }
    let others = endpoints.filter { $0.endpoint.address.isV4 != first.isV4 }
    var ordered: [ZonedEndpoint] = []
    for index in 0..<max(preferred.count, others.count) {
      if index < preferred.count { ordered.append(preferred[index]) }
      if index < others.count { ordered.append(others[index]) }
    }
    return ordered
  }
}
