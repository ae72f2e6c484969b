import Model

/// One burst of pings: what was sent, what came back, and when it is over. Does no I/O.
struct PingRound: Sendable {
  /// What a reply is.
  enum ReplyKind: Sendable, Equatable {
    /// The first to its request, in time.
    case first
    /// Its request was answered before.
    case duplicate
    /// Its request's time was over.
    case late
    /// No such request was sent.
    case unknown
  }

  /// The number of the round, which its requests carry.
  let number: UInt16
  /// When it began.
  let began: Timestamp

  private struct Request: Sendable {
    var sent: RoundTripClock.Reading?
    var stamp: Int64?
    var roundTrip: Duration?
    var isFailed = false
  }

  private let timeout: Duration
  private var requests: [Request]
  private var next = 0
  private var outstanding = 0
  private var duplicates = 0
  private var error: PathError?

  /// Prepares to send `count` requests, each of which may take `timeout` to be answered.
  init(number: UInt16, count: Int, timeout: Duration, began: Timestamp) {
    self.number = number
    self.timeout = timeout
    self.began = began
    requests = Array(repeating: Request(), count: count)
  }

  /// The number of the next request to be sent; nil when all were.
  var nextRequest: UInt16? { next < requests.count ? UInt16(next) : nil }

  /// When the time of the last request that was sent is over; nil before one was sent.
  var deadline: Instant? {
    next > 0 ? requests[next - 1].sent.map { $0.instant + timeout } : nil
  }

  /// True when nothing more is to be waited for at `now`. A burst that is lost takes one timeout, not one for each request.
  func isOver(at now: Instant) -> Bool {
    next == requests.count && (outstanding == 0 || deadline.map { now >= $0 } ?? true)
  }

  /// Takes note that the next request is sent.
  mutating func send(at reading: RoundTripClock.Reading) {
    guard next < requests.count else { return }
    requests[next].sent = reading
    next += 1
    outstanding += 1
  }

  /// Takes note of when exactly a request was sent.
  mutating func sent(_ number: UInt16, at reading: RoundTripClock.Reading) {
    if Int(number) < next { requests[Int(number)].sent = reading }
  }

  /// Takes note of the kernel's stamp of a request.
  mutating func stamp(_ number: UInt16, _ stamp: Int64) {
    if Int(number) < next { requests[Int(number)].stamp = stamp }
  }

  /// Takes a reply that was read at `received` and which the kernel stamped with `stamp`.
  mutating func reply(to number: UInt16, received: RoundTripClock.Reading, stamp: Int64?) -> ReplyKind {
    let index = Int(number)
    guard index < next, let sent = requests[index].sent else { return .unknown }
    if requests[index].roundTrip != nil {
      duplicates += 1
      return .duplicate
    }
    // The kernel's stamp tells when it came: a busy processor makes nothing late.
    let roundTrip = RoundTripClock.roundTrip(
      sent: sent, sentStamp: requests[index].stamp, received: received, receivedStamp: stamp)
    guard roundTrip <= timeout else { return .late }
    requests[index].roundTrip = roundTrip
    if !requests[index].isFailed { outstanding -= 1 }
    return .first
  }

  /// Takes an error of the path about a request: nothing is waited for any more, but a reply still counts.
  mutating func fail(_ number: UInt16, _ why: PathError) {
    let index = Int(number)
    guard index < next, requests[index].roundTrip == nil else { return }
    error = why
    if !requests[index].isFailed {
      requests[index].isFailed = true
      outstanding -= 1
    }
  }

  /// What it found; `late` are the replies to rounds before that came since, `more` the second copies to the one before.
  func burst(late: Int, more: Int) -> PingBurst {
    var roundTrips: [Duration] = []
    roundTrips.reserveCapacity(requests.count)
    for request in requests {
      if let roundTrip = request.roundTrip { roundTrips.append(roundTrip) }
    }
    return PingBurst(
      sent: requests.count, roundTrips: roundTrips, duplicates: duplicates + more, late: late, error: error)
  }
}
