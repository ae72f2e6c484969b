import Model
import SystemPackage
import SystemRuntime

/// One attempt to reach any of several hosts, each with several addresses. Does no I/O.
///
/// All hosts are tried at once; the addresses of one as `Dial` says. The first connection that is made ends the round,
/// as does its deadline if it has one, and that nothing is left to try.
struct ReachRound: Sendable {
  /// An address of a host.
  struct Place: Sendable, Hashable {
    /// The host's index.
    var host: Int
    /// The index of the address among the host's.
    var address: Int
  }

  private enum Progress: Sendable {
    case resolving
    case dialing(Dial)
    case failed
  }

  private var progress: [Progress]
  private let deadline: Instant?
  private var shortage: Errno?

  /// How it ended; nil while it has not.
  private(set) var outcome: ConnectionCheck.Outcome?

  /// Begins a round at `now` that ends after `timeout` at the latest; nil leaves it to the resolver and the kernel to give up.
  init(hosts: Int, timeout: Duration?, at now: Instant) {
    progress = Array(repeating: .resolving, count: hosts)
    deadline = timeout.map { now + $0 }
  }

  /// The hosts whose addresses are not known yet.
  var resolving: [Int] {
    progress.indices.filter { if case .resolving = progress[$0] { true } else { false } }
  }

  /// When `advance` has something to do at the latest; nil when there is nothing to do unless something happens.
  var nextMoment: Instant? {
    let attempts = progress.compactMap { if case .dialing(let dial) = $0 { dial.nextAttempt } else { nil } }
    return (attempts + [deadline].compactMap(\.self)).min()
  }

  /// A host has this many addresses: returns which to connect to now.
  mutating func found(_ count: Int, of host: Int, at now: Instant) -> [Place] {
    guard case .resolving = progress[host] else { return [] }
    var dial = Dial(count: count, at: now)
    let first = dial.advance(to: now)
    return carryOut(first, dial, host, at: now)
  }

  /// A host has no address.
  mutating func notFound(_ host: Int) {
    progress[host] = .failed
    endIfNothingIsLeft()
  }

  /// The connection to `place` was refused or could not be tried, with `lacksPort` because no local port is free: returns which
  /// to connect to instead.
  mutating func failed(
    _ place: Place, _ error: Errno, lacksPort: Bool = false, at now: Instant
  ) -> [Place] {
    guard case .dialing(var dial) = progress[place.host] else { return [] }
    if error.isShortage || lacksPort { shortage = error }
    let action = dial.failed(error, at: now)
    return carryOut(action, dial, place.host, at: now)
  }

  /// A connection was made.
  mutating func connected() { outcome = outcome ?? .reachable }

  /// It is `now`: returns which to connect to besides.
  mutating func advance(to now: Instant) -> [Place] {
    if let deadline, now >= deadline { outcome = outcome ?? ending }
    guard outcome == nil else { return [] }
    var places: [Place] = []
    for host in progress.indices {
      guard case .dialing(var dial) = progress[host] else { continue }
      let action = dial.advance(to: now)
      places += carryOut(action, dial, host, at: now)
    }
    return places
  }

  private mutating func carryOut(
    _ first: Dial.Action, _ dial: Dial, _ host: Int, at now: Instant
  ) -> [Place] {
    var (action, dial) = (first, dial)
    var places: [Place] = []
    while case .start(let address) = action {
      places.append(Place(host: host, address: address))
      action = dial.advance(to: now)
    }
    progress[host] = .dialing(dial)
    if case .giveUp = action { notFound(host) }
    return places
  }

  private mutating func endIfNothingIsLeft() {
    let isOver = progress.allSatisfy { if case .failed = $0 { true } else { false } }
    if isOver { outcome = outcome ?? ending }
  }

  /// What an attempt without a connection says: nothing of the network where it is this host that has no means.
  private var ending: ConnectionCheck.Outcome { shortage.map { .unknown($0) } ?? .unreachable }
}
