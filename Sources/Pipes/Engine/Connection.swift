import Model
import SystemRuntime
import SystemPackage

/// A socket that two half connections share.
final class StreamEnd: Sendable {
  let socket: TCPSocket

  init(_ socket: consuming TCPSocket) { self.socket = socket }
}

/// One direction of an open connection: the decisions, and what they are carried out with.
final class HalfConnection {
  let source: StreamEnd
  /// What the poller knows the source by.
  let sourceToken: Token
  let sink: StreamEnd
  let limiter: DirectionLimiter
  var relay: Relay
  var choice: TransferChoice
  /// Bytes in it are `relay.pending`; nil while there are none.
  var pipe: PooledPipe?
  /// What a copy could not deliver, and how much of that was delivered since.
  var leftover: [UInt8] = []
  var leftoverStart = 0
  /// Bytes that were delivered and are in no counter yet. Zero while nothing is moved.
  var uncounted = 0
  /// What it may still move under a limit, and under which.
  var grant = 0
  var grantEpoch: UInt64 = 0
  /// What its last grant said about the next.
  var turn = 0.0
  /// What the poller reports of the source's socket.
  var interest = Interest()
  /// Whether it stands in the limiter's queue.
  var waitsForGrant = false
  /// Whether its sender outruns us, and whether it stands in the worker's queue for a turn.
  var isBulk = false
  var waitsForTurn = false

  /// Whether it stands in a queue of ours.
  var isHeldByUs: Bool { waitsForGrant || waitsForTurn }

  init(
    from source: StreamEnd, _ sourceToken: Token, to sink: StreamEnd, limiter: DirectionLimiter, relay: Relay,
    choice: TransferChoice
  ) {
    self.source = source
    self.sourceToken = sourceToken
    self.sink = sink
    self.limiter = limiter
    self.relay = relay
    self.choice = choice
  }
}

/// A target that is being connected to.
final class Dialing {
  var dial: Dial
  let endpoints: [ZonedEndpoint]
  /// Attempts to connect, by the index of their address.
  var attempts: [StreamEnd?]
  /// What the one that is connected was ready for then.
  var early: Readiness = []

  init(_ endpoints: [ZonedEndpoint], at now: Instant) {
    dial = Dial(count: endpoints.count, at: now)
    self.endpoints = endpoints
    attempts = Array(repeating: nil, count: min(endpoints.count, Dial.addressLimit))
  }
}

/// A client's connection and what was made for it. Belongs to one worker.
final class Connection {
  /// How far it is.
  enum Phase {
    /// The client has to say who it is.
    case header
    /// The target's addresses are being looked up.
    case resolving
    /// The target is being connected to.
    case dialing(Dialing)
    /// Bytes flow.
    case open(received: HalfConnection, sent: HalfConnection)
  }

  let pipe: Pipe
  /// How its pipe was set up when it began.
  private let settings: Pipe.Settings
  let client: StreamEnd
  /// Where it comes from; a PROXY header may say better.
  var source: Endpoint
  /// What the client connected to, where a PROXY header said it.
  var destination: Endpoint?
  let started: Instant
  let token: Token
  var phase: Phase
  /// What the client became ready for before the target was connected.
  var early: Readiness = []
  /// Which of the attempts to connect is the target.
  var targetIndex = 0
  /// How long nothing has moved, once it is open.
  var silence: Silence
  /// What is known of the receive queues of its peers.
  var queues = (client: PeerQueue(), target: PeerQueue())
  /// The moment that stands in the worker's queue of deadlines.
  var scheduled: Instant?
  /// Whether it stands in the worker's queue of those that have more to do.
  var isQueued = false
  var account: ClientLedger.Account?
  /// Where to count what passes the addresses of this host at both ends, once it is open.
  var paths: (client: ByteCounters?, target: ByteCounters?)
  /// Whether the kernel looks for peers that have vanished.
  var isKeptAlive = false
  /// The end that has failed first, and why.
  var failure: (end: StreamEnd, error: Errno?)?
  /// Whether both ends have failed: nobody is left to whom anything could be delivered.
  var hasNobodyLeft = false
  /// The end that is to learn by a reset that the other has failed, once its peer has all that came before.
  var breaking: Breaking?

  /// A reset that waits.
  struct Breaking {
    let end: StreamEnd
    var nextLook: Instant
    var pause = Duration.milliseconds(1)
  }

  init(
    _ pipe: Pipe, _ client: StreamEnd, from source: Endpoint, token: Token, at now: Instant
  ) {
    self.pipe = pipe
    settings = pipe.settings
    self.client = client
    self.source = source
    self.token = token
    started = now
    silence = Silence(at: now)
    phase = settings.configuration.acceptsProxy ? .header : .resolving
  }

  /// How its pipe was set up when it began.
  var configuration: PipeConfiguration { settings.configuration }

  /// When it must be looked at again, if nothing happens before.
  var deadline: Instant? {
    switch phase {
    case .header, .resolving: return started + configuration.connectTimeout
    case .dialing(let dialing):
      let end = started + configuration.connectTimeout
      return dialing.dial.nextAttempt.map { min($0, end) } ?? end
    case .open(let received, let sent):
      if let breaking { return breaking.nextLook }
      return silenceLimit(received, sent).map(silence.nextLook)
    }
  }

  /// How long it may be silent while it is open; nil for ever.
  func silenceLimit(_ received: HalfConnection, _ sent: HalfConnection) -> Duration? {
    guard received.relay.isFinished || sent.relay.isFinished else { return configuration.idleTimeout }
    return min(configuration.finTimeout, configuration.idleTimeout ?? configuration.finTimeout)
  }
}

/// Which changes of a socket a poller reports, so that few of its events are useless. Does no I/O.
struct Interest: Sendable {
  /// How many useless events are answered before the poller is asked not to report them.
  static let patience = 2

  /// What is reported, of readable and writable.
  private(set) var changes: Readiness = [.readable, .writable]
  // How many events of each kind were useless since it was last waited for.
  private var uselessReads = 0
  private var uselessWrites = 0

  /// Nothing could be done about an event that said `change`. True when it is to be reported no longer: `changes` is
  /// without it then.
  mutating func sawUseless(_ change: Readiness) -> Bool {
    if change == .readable { uselessReads += 1 } else { uselessWrites += 1 }
    guard (change == .readable ? uselessReads : uselessWrites) == Self.patience else { return false }
    changes.remove(change)
    return true
  }

  /// `change` is waited for. True when it is to be reported again: `changes` is with it then.
  mutating func needs(_ change: Readiness) -> Bool {
    if change == .readable { uselessReads = 0 } else { uselessWrites = 0 }
    return changes.insert(change).inserted
  }
}
