import Model
import Synchronization
import SystemRuntime

/// A pipe at work: what its connections share, whichever worker they belong to.
final class Pipe: Sendable {
  /// Distinguishes it from every other pipe of the engine, those that are gone included.
  let id: Int
  /// What it is called in reports.
  let name: String
  /// Where it forwards to.
  let target: Target
  /// What was delivered, of all its connections.
  let counters = ByteCounters()
  /// The same by the addresses of this host that it passed.
  let paths = PathCounters()
  /// From clients to the target.
  let received: DirectionLimiter
  /// From the target to clients.
  let sent: DirectionLimiter
  /// What was delivered per client; nil when nobody asked.
  let clients: ClientLedger?

  /// A configuration that connections share.
  final class Settings: Sendable {
    let configuration: PipeConfiguration

    init(_ configuration: PipeConfiguration) { self.configuration = configuration }
  }

  private let current: Mutex<Settings>
  private let ownListeners: Mutex<[TCPListener]>
  private let closed = Atomic<Bool>(false)
  private let openCount = Atomic<Int>(0)
  private let acceptedCount = Atomic<UInt64>(0)
  private let failedCount = Atomic<UInt64>(0)
  private let limiter = Mutex(LogLimiter())
  private let log: @Sendable (Warning) -> Void

  init(
    id: Int, _ configuration: PipeConfiguration, listeners: [TCPListener], target: Target,
    log: @escaping @Sendable (Warning) -> Void
  ) {
    self.id = id
    name = configuration.name
    ownListeners = Mutex(listeners)
    self.target = target
    self.log = log
    received = DirectionLimiter(.received, limit: configuration.receivedLimit)
    sent = DirectionLimiter(.sent, limit: configuration.sentLimit)
    clients = configuration.listsClients ? ClientLedger() : nil
    current = Mutex(Settings(configuration))
  }

  /// How it is set up now.
  var configuration: PipeConfiguration { settings.configuration }

  /// The same, for a connection to keep.
  var settings: Settings { current.withLock { $0 } }

  /// The most connections it may have; nil for as many as descriptors allow.
  var connectionLimit: Int? { settings.configuration.maxConnections }

  /// Where it listens; empty once it does not.
  var listeners: [TCPListener] { ownListeners.withLock { $0 } }

  /// Whether it was removed: what another worker still hands over is cut.
  var isClosed: Bool { closed.load(ordering: .acquiring) }

  /// Says that it was removed.
  func close() { closed.store(true, ordering: .releasing) }

  /// Gives the listeners up: they close when the workers have done the same.
  func stopListening() { ownListeners.withLock { $0 = [] } }

  /// Takes another configuration of the same name and place: limits hold at once, the rest for new connections.
  func use(_ configuration: PipeConfiguration, at now: Instant) {
    current.withLock { $0 = Settings(configuration) }
    received.setLimit(configuration.receivedLimit, at: now)
    sent.setLimit(configuration.sentLimit, at: now)
  }

  /// Connections that are open, or wait for the target.
  var open: Int { openCount.load(ordering: .relaxed) }
  /// Connections that were accepted, since start.
  var accepted: UInt64 { acceptedCount.load(ordering: .relaxed) }
  /// Connections for which the target could not be reached, since start.
  var failed: UInt64 { failedCount.load(ordering: .relaxed) }

  /// Takes the place of a connection; false when all `limit` places are taken.
  func enter(limit: Int) -> Bool {
    if openCount.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
    openCount.wrappingSubtract(1, ordering: .relaxed)
    return false
  }

  /// Counts a connection that was accepted.
  func noteAccepted() { acceptedCount.wrappingAdd(1, ordering: .relaxed) }
  /// Counts a connection for which the target could not be reached.
  func noteFailed() { failedCount.wrappingAdd(1, ordering: .relaxed) }
  /// Frees the place of a connection.
  func leave() { openCount.wrappingSubtract(1, ordering: .relaxed) }

  /// Says `text` of this pipe, unless lines of the same kind were written lately (`LogLimiter`).
  func warn(_ code: String, _ text: String) {
    guard let held = limiter.withLock({ $0.admit(code, at: .now) }) else { return }
    let more = held == 0 ? "" : " (and \(held) more since the last such line)"
    log(Warning(code: code, text: "\(name): \(text)\(more)"))
  }
}

/// What a pipe moved through each address of this host. A byte passes two: the one that its client connected to, and the
/// one towards the target.
final class PathCounters: Sendable {
  /// The most addresses that are counted apart. Bytes of further addresses are counted for none.
  static let limit = 64

  private let byAddress = Mutex<[IPAddress: ByteCounters]>([:])

  /// Where to count what moves through `address`; nil where there is no room, or the address is not known.
  func counters(of address: IPAddress?) -> ByteCounters? {
    guard let address else { return nil }
    return byAddress.withLock { byAddress in
      if let counters = byAddress[address] { return counters }
      guard byAddress.count < Self.limit else { return nil }
      let counters = ByteCounters()
      byAddress[address] = counters
      return counters
    }
  }

  /// What moved so far through each, as this host sees it.
  var usages: [IPAddress: Usage] { byAddress.withLock { $0.mapValues(\.usage) } }
}
