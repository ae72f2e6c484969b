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
  /// How often a hop is asked at most to learn whose an answer is that names no request.
  static let repetitions = 8
  /// Within what time a second copy of an answer comes.
  private static let pause = Duration.milliseconds(50)

  /// A request that was sent.
  private struct Ask: Sendable {
    var sent: RoundTripClock.Reading
    var stamp: Int64?
    /// How many answers that name no request had come before.
    var unquoted: Int
  }

  private struct Probe: Sendable {
    var asks: [Ask] = []
    /// True while its last request may be answered in time.
    var isWaiting = false
    var hop: RouteTrace.Hop?
    var isOver = false
  }

  /// An answer that names no request, whose hop is not known yet.
  private struct Unplaced: Sendable {
    var answer: Answer
    var received: RoundTripClock.Reading
    var stamp: Int64?
    /// The last hop that it may be of: no hop behind it was asked when it came.
    var last: Int
  }

  private let timeout: Duration
  private var probes: [Probe]
  private var unquoted: UnquotedAnswers
  private var unplaced: [Unplaced] = []
  private var repetitionsLeft = 64
  /// How many hops matter: up to the destination, or to who says that it goes no further.
  private var length: Int
  private var ending = RouteTrace.Ending.exhausted

  /// Prepares to trace at most `hops` hops, 255 at most. `older` requests of rounds before may still be answered.
  init(hops: Int, timeout: Duration = Self.defaultTimeout, older: Int = 0) {
    self.timeout = timeout
    length = min(hops, 255)
    probes = Array(repeating: Probe(), count: length)
    unquoted = UnquotedAnswers(older: older)
  }

  /// The next request to be sent at `now`, which is taken for sent; nil when none is to be.
  mutating func nextRequest(at now: RoundTripClock.Reading) -> Request? {
    expire(at: now.instant)
    forgetUnplaced()
    if !unplaced.isEmpty {
      guard let index = nearest, !probes[index].isWaiting || repetition.map({ $0 <= now.instant }) ?? false
      else { return nil }
      if probes[index].isWaiting { repetitionsLeft -= 1 }
      unquoted.repeated()
      return ask(index, at: now)
    }
    var underWay = 0
    for index in probes.indices.prefix(length) where !probes[index].isOver {
      guard underWay < Self.window else { return nil }
      if !probes[index].isWaiting { return ask(index, at: now) }
      underWay += 1
    }
    return nil
  }

  private mutating func ask(_ index: Int, at now: RoundTripClock.Reading) -> Request {
    probes[index].asks.append(Ask(sent: now, unquoted: unquoted.count))
    probes[index].isWaiting = true
    unquoted.addRequest()
    return Request(ttl: index + 1, attempt: probes[index].asks.count)
  }

  /// The nearest hop that nothing is known of yet.
  private var nearest: Int? { probes.indices.prefix(length).first { !probes[$0].isOver } }

  /// When the nearest hop is to be asked once more to learn whose an answer is that names no request: after one has come, and
  /// when a second copy of it would have come, too. Nil where that is not to be.
  private var repetition: Instant? {
    guard let nearest, let last = unplaced.map(\.received.instant).max(), let ask = probes[nearest].asks.last,
      ask.unquoted < unquoted.count, probes[nearest].asks.count < Self.repetitions, repetitionsLeft > 0
    else { return nil }
    return last + Self.pause
  }

  /// A request: how many routers it may pass, and which attempt for that it is.
  struct Request: Sendable, Hashable {
    var ttl: Int
    var attempt: Int

    init(ttl: Int, attempt: Int) {
      self.ttl = ttl
      self.attempt = attempt
    }

    /// As tokens carry it.
    init(rawValue: UInt16) { self.init(ttl: Int(rawValue & 0xff), attempt: Int(rawValue >> 8)) }

    var rawValue: UInt16 { UInt16(attempt) << 8 | UInt16(ttl) }
  }

  /// Takes note of when exactly a request was sent.
  mutating func sent(_ request: Request, at reading: RoundTripClock.Reading) {
    if let (index, ask) = position(of: request) { probes[index].asks[ask].sent = reading }
  }

  /// Takes note of the kernel's stamp of a request.
  mutating func stamp(_ request: Request, _ stamp: Int64) {
    if let (index, ask) = position(of: request) { probes[index].asks[ask].stamp = stamp }
  }

  /// When something is to be done next; nil when nothing is waited for.
  var deadline: Instant? {
    let waiting = probes.prefix(length).filter { !$0.isOver && $0.isWaiting }
    let expiry = waiting.compactMap { $0.asks.last?.sent.instant }.min().map { $0 + timeout }
    return [expiry, repetition].compactMap(\.self).min()
  }

  /// True when nothing more is to be waited for at `now`.
  mutating func isOver(at now: Instant) -> Bool {
    expire(at: now)
    return probes.prefix(length).allSatisfy(\.isOver)
  }

  /// What came instead of silence.
  enum Answer: Sendable, Hashable {
    /// A router drops the request, which went through too many hops.
    case timeExceeded(by: IPAddress)
    /// The destination replies.
    case reached(IPAddress)
    /// A router says that it goes no further, or this host that it sends no such request.
    case stopped(PathError)
    /// This host could not deliver the request, as when a neighbour does not answer.
    case undeliverable(PathError)
  }

  /// Takes an answer to a request, read at `received`, that the kernel stamped with `stamp`. One to a request that was given up is
  /// too late.
  mutating func answer(
    _ request: Request, _ answer: Answer, received: RoundTripClock.Reading, stamp: Int64?
  ) {
    guard let (index, number) = position(of: request), !probes[index].isOver else { return }
    let ask = probes[index].asks[number]
    let isLast = number == probes[index].asks.count - 1
    guard isLast && probes[index].isWaiting || received.instant - ask.sent.instant < timeout else { return }
    unquoted.addNamed()
    place(answer, at: index, ask, received, stamp)
    placeUnquoted()
  }

  /// Takes an answer that names no request.
  mutating func answer(unquoted answer: Answer, received: RoundTripClock.Reading, stamp: Int64?) {
    guard unquoted.add(answer), let last = probes.lastIndex(where: { !$0.asks.isEmpty }) else { return }
    unplaced.removeAll { $0.answer == answer }
    unplaced.append(Unplaced(answer: answer, received: received, stamp: stamp, last: last))
    placeUnquoted()
  }

  /// Finds the hops of answers that name no request, as far as they are certain.
  private mutating func placeUnquoted() {
    while let (position, index) = certain, let ask = probes[index].asks.last {
      let found = unplaced.remove(at: position)
      place(found.answer, at: index, ask, found.received, found.stamp)
    }
  }

  /// An answer whose hop is certain, and that hop.
  private var certain: (position: Int, index: Int)? {
    for (position, found) in unplaced.enumerated() {
      let index = probes.indices.prefix(length).first { index in
        guard !probes[index].isOver, let ask = probes[index].asks.last else { return false }
        // A request that was given up is another one: its answer is too late.
        let inTime = probes[index].asks.filter { found.received.instant - $0.sent.instant < timeout }
        return ask.sent.instant <= found.received.instant
          && unquoted.isCertain(found.answer, of: inTime.map(\.unquoted))
      }
      if let index { return (position, index) }
    }
    return nil
  }

  /// What no hop can have said that nothing is known of yet is nobody's.
  private mutating func forgetUnplaced() {
    let nearest = nearest ?? probes.count
    unplaced.removeAll { $0.last < nearest }
  }

  private mutating func place(
    _ answer: Answer, at index: Int, _ ask: Ask, _ received: RoundTripClock.Reading, _ stamp: Int64?
  ) {
    let roundTrip = RoundTripClock.roundTrip(
      sent: ask.sent, sentStamp: ask.stamp, received: received, receivedStamp: stamp)
    probes[index].isOver = true
    switch answer {
    case .timeExceeded(let router): probes[index].hop = RouteTrace.Hop(router, roundTrip)
    case .reached(let destination):
      probes[index].hop = RouteTrace.Hop(destination, roundTrip)
      end(at: index + 1, .reached)
    case .stopped(let why):
      probes[index].hop = why.reporter.map { RouteTrace.Hop($0, roundTrip) }
      end(at: why.reporter == nil ? index : index + 1, .stopped(why))
    case .undeliverable(let why): end(at: lastAnswered(before: index), .stopped(why))
    }
  }

  /// How many hops there are up to the last that answered. The kernel reports a missing neighbour after three seconds, for
  /// all requests that were sent meanwhile.
  private func lastAnswered(before index: Int) -> Int {
    probes.prefix(index).lastIndex { $0.hop != nil }.map { $0 + 1 } ?? 0
  }

  /// When its requests were sent that may still be answered, as far as that is known.
  var unanswered: [Instant] {
    Array(probes.flatMap(\.asks).map(\.sent.instant).sorted(by: >).prefix(unquoted.unansweredNow))
  }

  /// What it found.
  var trace: RouteTrace {
    RouteTrace(hops: probes.prefix(length).map { $0.hop ?? RouteTrace.Hop() }, ending: ending)
  }

  private func position(of request: Request) -> (index: Int, ask: Int)? {
    let (index, ask) = (request.ttl - 1, request.attempt - 1)
    guard probes.indices.contains(index), probes[index].asks.indices.contains(ask) else { return nil }
    return (index, ask)
  }

  /// The nearest end counts: requests with a higher limit reach the destination as well.
  private mutating func end(at limit: Int, _ how: RouteTrace.Ending) {
    if ending != .exhausted, limit >= length { return }
    length = limit
    ending = how
  }

  private mutating func expire(at now: Instant) {
    for index in probes.indices.prefix(length) where !probes[index].isOver && probes[index].isWaiting {
      guard let ask = probes[index].asks.last, now - ask.sent.instant >= timeout else { continue }
      probes[index].isWaiting = false
      probes[index].isOver = probes[index].asks.count >= Self.attempts
    }
  }
}
