import Model

/// One trace of a route: which hops are asked, which have answered, and when it is over. Does no I/O.
///
/// Several hops are asked at a time; each has its own time limit, so that routers which say nothing cost one, not one each.
struct TraceRound: Sendable {
  /// How many hops are asked at a time.
  static let window = 8
  /// How long a hop may take, unless the user says otherwise.
  static let defaultTimeout = Duration.seconds(1)
  /// How often a hop is asked that does not answer: routers drop some requests.
  static let attempts = 2

  /// The number of the round, which its requests carry.
  let number: UInt16
  /// When it began.
  let began: Timestamp

  private struct Probe: Sendable {
    var sent: RoundTripClock.Reading?
    var stamp: Int64?
    var attempts = 0
    var hop: RouteTrace.Hop?
    var isOver = false
  }

  private let timeout: Duration
  private var probes: [Probe]
  /// How many hops matter: up to the destination, or to who says that it goes no further.
  private var length: Int
  private var ending = RouteTrace.Ending.exhausted

  /// Prepares to trace at most `hops` hops, 255 at most.
  init(number: UInt16, hops: Int, timeout: Duration = Self.defaultTimeout, began: Timestamp) {
    self.number = number
    self.timeout = timeout
    self.began = began
    length = min(hops, 255)
    probes = Array(repeating: Probe(), count: length)
  }

  /// The next request to be sent at `now`, which is taken for sent; nil when none is to be.
  mutating func nextRequest(at now: RoundTripClock.Reading) -> Request? {
    expire(at: now.instant)
    var underWay = 0
    for index in probes.indices.prefix(length) where !probes[index].isOver {
      guard underWay < Self.window else { return nil }
      if probes[index].sent == nil {
        probes[index].sent = now
        probes[index].attempts += 1
        return Request(hopLimit: index + 1, attempt: probes[index].attempts)
      }
      underWay += 1
    }
    return nil
  }

  /// A request: how many routers it may pass, and which attempt for that it is.
  struct Request: Sendable, Hashable {
    var hopLimit: Int
    var attempt: Int

    init(hopLimit: Int, attempt: Int) {
      self.hopLimit = hopLimit
      self.attempt = attempt
    }

    /// As tokens carry it.
    init(rawValue: UInt16) { self.init(hopLimit: Int(rawValue & 0xff), attempt: Int(rawValue >> 8)) }

    var rawValue: UInt16 { UInt16(attempt) << 8 | UInt16(hopLimit) }
  }

  /// Takes note of when exactly a request was sent.
  mutating func sent(_ request: Request, at reading: RoundTripClock.Reading) {
    if let index = position(of: request) { probes[index].sent = reading }
  }

  /// Takes note of the kernel's stamp of a request.
  mutating func stamp(_ request: Request, _ stamp: Int64) {
    if let index = position(of: request) { probes[index].stamp = stamp }
  }

  /// When something is to be done next; nil when nothing is waited for.
  var deadline: ContinuousClock.Instant? {
    probes.prefix(length).filter { !$0.isOver }.compactMap { $0.sent?.instant }.min().map { $0 + timeout }
  }

  /// True when nothing more is to be waited for at `now`.
  mutating func isOver(at now: ContinuousClock.Instant) -> Bool {
    expire(at: now)
    return probes.prefix(length).allSatisfy(\.isOver)
  }

  /// What came instead of silence.
  enum Answer: Sendable, Hashable {
    /// A router drops the request, which went through too many hops.
    case timeExceeded(by: IPAddress)
    /// The destination replies.
    case reached(IPAddress)
    /// A router, or this host, says that it goes no further.
    case stopped(PathError)
  }

  /// Takes an answer to a request, read at `received`, that the kernel stamped with `stamp`. Those to an earlier attempt are too
  /// late.
  mutating func answer(
    _ request: Request, _ answer: Answer, received: RoundTripClock.Reading, stamp: Int64?
  ) {
    guard let index = position(of: request), !probes[index].isOver, let sent = probes[index].sent else {
      return
    }
    let roundTrip = RoundTripClock.roundTrip(
      sent: sent, sentStamp: probes[index].stamp, received: received, receivedStamp: stamp)
    probes[index].isOver = true
    switch answer {
    case .timeExceeded(let router): probes[index].hop = RouteTrace.Hop(router, roundTrip)
    case .reached(let destination):
      probes[index].hop = RouteTrace.Hop(destination, roundTrip)
      end(at: request.hopLimit, .reached)
    case .stopped(let why):
      probes[index].hop = why.reporter.map { RouteTrace.Hop($0, roundTrip) }
      end(at: why.reporter == nil ? request.hopLimit - 1 : request.hopLimit, .stopped(why))
    }
  }

  /// What it found.
  var trace: RouteTrace {
    RouteTrace(hops: probes.prefix(length).map { $0.hop ?? RouteTrace.Hop() }, ending: ending)
  }

  private func position(of request: Request) -> Int? {
    let index = request.hopLimit - 1
    guard probes.indices.contains(index), probes[index].attempts == request.attempt else { return nil }
    return index
  }

  /// The nearest end counts: requests with a higher limit reach the destination as well.
  private mutating func end(at limit: Int, _ how: RouteTrace.Ending) {
    if ending != .exhausted, limit >= length { return }
    length = limit
    ending = how
  }

  private mutating func expire(at now: ContinuousClock.Instant) {
    for index in probes.indices.prefix(length) where !probes[index].isOver {
      guard let sent = probes[index].sent, now - sent.instant >= timeout else { continue }
      if probes[index].attempts < Self.attempts {
        probes[index].sent = nil
        probes[index].stamp = nil
      } else {
        probes[index].isOver = true
      }
    }
  }
}
