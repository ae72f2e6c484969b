import Model
import SystemPackage
import SystemRuntime

/// Whether the network is up: a TCP connection to any of the references, closed as soon as it is made.
///
/// It waits for nothing: its owner waits in the poller, and says what happened and what time it is.
package struct ConnectionCheck: ~Copyable {
  /// How a check ended.
  package enum Outcome: Sendable, Hashable {
    /// A reference accepted a connection.
    case reachable
    /// All of them refused, or did not answer in time.
    case unreachable
    /// This host lacks what a connection needs, which says nothing of the network.
    case unknown(Errno)
  }

  /// A host whose addresses cannot be found.
  package struct Unresolvable: Sendable, Hashable {
    /// Its name.
    package var host: String
    /// Why, in the resolver's words.
    package var reason: String
  }

  private final class Attempt {
    let socket: TCPSocket
    let place: ReachRound.Place

    init(_ socket: consuming TCPSocket, _ place: ReachRound.Place) {
      self.socket = socket
      self.place = place
    }
  }

  private let hosts: [HostAddresses]
  private let timeout: Duration?
  private var nextToken: UInt64
  private var round: ReachRound?
  private var attempts: [UInt64: Attempt]
  /// The addresses of each host, in this round.
  private var endpoints: [[ZonedEndpoint]]

  /// Starts to look up the names among `references`; `notify` is called on other threads when `advance` is to be called.
  /// Tokens of the poller from `firstToken` on are this check's. Without a `timeout` a check ends when the kernel gives up its
  /// connections.
  package init(
    _ references: [ReferenceEndpoint], timeout: Duration?, firstToken: UInt64,
    lookUp: @escaping HostAddresses.LookUp = NameResolution.endpoints,
    notify: @escaping @Sendable () -> Void
  ) throws(KernelError) {
    _ = DescriptorLimit.raise()
    var hosts: [HostAddresses] = []
    for reference in references {
      hosts.append(try HostAddresses(host: reference.host, port: reference.port, lookUp: lookUp))
    }
    for host in hosts { try host.start(notify) }
    self.hosts = hosts
    self.timeout = timeout
    nextToken = firstToken
    round = nil
    attempts = [:]
    endpoints = []
  }

  deinit { for host in hosts { host.stop() } }

  /// When `advance` is to be called at the latest; nil when no check is under way that waits for a time.
  package var nextMoment: Instant? { round?.nextMoment }

  /// Begins a check at `now`; returns its outcome if that is known at once.
  package mutating func begin(at now: Instant, _ poller: borrowing Poller) -> Outcome? {
    round = ReachRound(hosts: hosts.count, timeout: timeout, at: now)
    endpoints = Array(repeating: [], count: hosts.count)
    return advance(to: now, poller)
  }

  /// It is `now`, or names were found: returns the outcome of the check that is under way if it has ended.
  package mutating func advance(to now: Instant, _ poller: borrowing Poller) -> Outcome? {
    for host in round?.resolving ?? [] {
      switch hosts[host].addresses(at: now) {
      case .pending: continue
      case .failed: round?.notFound(host)
      case .ready(let found):
        endpoints[host] = found
        connect(round?.found(found.count, of: host, at: now) ?? [], at: now, poller)
      }
    }
    connect(round?.advance(to: now) ?? [], at: now, poller)
    return takeOutcome(at: now)
  }

  /// Something happened to the socket of `token`: returns the outcome of the check if it has ended.
  package mutating func changed(
    _ token: UInt64, _ readiness: Readiness, at now: Instant, _ poller: borrowing Poller
  ) -> Outcome? {
    // One of a check that has ended is not known any more.
    guard let attempt = attempts[token] else { return nil }
    if !readiness.isDisjoint(with: [.failed, .hungUp]) {
      attempts[token] = nil
      let error = attempt.socket.takeError() ?? .connectionRefused
      connect(failed(attempt.place, error, at: now), at: now, poller)
    } else if readiness.contains(.writable) {
      hosts[attempt.place.host].prefer(endpoints[attempt.place.host][attempt.place.address])
      round?.connected()
    }
    return takeOutcome(at: now)
  }

  /// Names whose addresses were never found, each once.
  package func takeUnresolvable() -> [Unresolvable] {
    hosts.compactMap { host in
      host.takeFailure().map { Unresolvable(host: host.host, reason: $0) }
    }
  }

  private mutating func connect(
    _ places: [ReachRound.Place], at now: Instant, _ poller: borrowing Poller
  ) {
    var waiting = places
    while let place = waiting.popLast() {
      let endpoint = endpoints[place.host][place.address]
      do throws(Errno) {
        let socket = try TCPSocket(connectingTo: endpoint.endpoint, zone: endpoint.zone)
        try poller.add(socket, token: nextToken)
        attempts[nextToken] = Attempt(socket, place)
        nextToken += 1
      } catch {
        waiting += failed(place, error, at: now)
      }
    }
  }

  private mutating func failed(
    _ place: ReachRound.Place, _ error: Errno, at now: Instant
  ) -> [ReachRound.Place] {
    let endpoint = endpoints[place.host][place.address]
    let shortage = ServiceShortage(error) {
      SourceAddress.towards(endpoint.endpoint.address, zone: endpoint.zone) != nil
    }
    return round?.failed(place, error, lacksPort: shortage == .ports, at: now) ?? []
  }

  private mutating func takeOutcome(at now: Instant) -> Outcome? {
    guard let outcome = round?.outcome else { return nil }
    round = nil
    // Closes the sockets.
    attempts.removeAll(keepingCapacity: true)
    if outcome == .unreachable { for host in hosts { host.distrust(at: now) } }
    return outcome
  }
}
