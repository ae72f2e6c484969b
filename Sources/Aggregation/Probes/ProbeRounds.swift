import Model

/// What the last rounds of probes of one target found.
struct ProbeRounds: Sendable {
  private struct Burst {
    var time: Instant
    var sent: Int
    var received: Int
    /// The sum of the round-trip times.
    var sum: Duration
  }

  /// The most bursts that are kept, whatever the interval.
  private static let most = 4096

  private var bursts: [Burst] = []
  private var upByKind: [Int: Bool] = [:]
  /// How long the last connection took, where no pings are sent; nil where it failed.
  private var connected: Double?

  /// Takes what a round found at `now`; bursts older than `interval` are forgotten, but for the last.
  mutating func add(
    _ finding: ProbeResult.Finding, at now: Instant, keeping interval: Duration
  ) {
    switch finding {
    case .ping(let burst) where burst.isUnknown: break
    case .ping(let burst):
      bursts.append(
        Burst(
          time: now, sent: burst.sent, received: burst.roundTrips.count,
          sum: burst.roundTrips.reduce(.zero, +)))
      let stale = bursts.prefix { now - $0.time > interval }.count
      let surplus = max(min(stale, bursts.count - 1), bursts.count - Self.most)
      bursts.removeFirst(surplus)
    case .connection(_, .accepted(let time)): connected = time.inMilliseconds
    case .connection(_, .failed): connected = nil
    case .connection(_, .unknown), .scan, .trace: break
    }
    if let isUp = finding.isUp { upByKind[finding.kind] = isUp }
  }

  /// The value of `measure` over the last `interval`, of the last round where that is zero; nil where it is not known.
  func value(
    of measure: ProbeAlert.Measure, over interval: Duration, at now: Instant
  ) -> Double? {
    let recent = interval == .zero ? bursts.suffix(1) : bursts.drop { now - $0.time > interval }
    switch measure {
    case .loss: return loss(recent)
    case .roundTrip: return roundTrip(recent)
    case .down: return isUp.map { $0 ? 0 : 1 }
    }
  }

  private func loss(_ bursts: ArraySlice<Burst>) -> Double? {
    let sent = bursts.map(\.sent).reduce(0, +)
    let received = bursts.map(\.received).reduce(0, +)
    return sent > 0 ? Double(sent - received) * 100 / Double(sent) : nil
  }

  private func roundTrip(_ recent: ArraySlice<Burst>) -> Double? {
    let received = recent.map(\.received).reduce(0, +)
    if received > 0 { return recent.map(\.sum).reduce(.zero, +).inMilliseconds / Double(received) }
    return bursts.isEmpty ? connected : nil
  }

  /// Whether anything answers; nil while nothing is known.
  var isUp: Bool? { upByKind.isEmpty ? nil : upByKind.values.contains(true) }

  /// The state under a name; nil while nothing is known.
  func state(named name: String) -> ProbeState? {
    guard let isUp else { return nil }
    return ProbeState(
      name: name, isUp: isUp, loss: loss(bursts.suffix(1)), roundTrip: roundTrip(bursts.suffix(1)))
  }
}

extension ProbeResult.Finding {
  /// Whether something answered; nil for a trace, and for what this host could not ask, which do not say.
  var isUp: Bool? {
    switch self {
    case .ping(let burst): burst.isUnknown ? nil : !burst.roundTrips.isEmpty
    case .connection(_, .accepted): true
    case .connection(_, .failed): false
    case .connection(_, .unknown): nil
    case .scan(let scan): scan.isUp
    case .trace: nil
    }
  }

  fileprivate var kind: Int {
    switch self {
    case .ping: 0
    case .trace: 1
    case .scan: 2
    case .connection: 3
    }
  }
}
