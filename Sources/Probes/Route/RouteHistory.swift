public import Model

/// Says which traces of one target show a change of its route that is worth an alert. Does no I/O.
///
/// Hops that do not answer change nothing, as for `RouteChange`. A router that was not seen at its place in the last traces is a
/// change at once. A route of routers that were seen a moment ago is one only when it has held for some traces: where routers
/// balance, routes alternate, and that is no change.
public struct RouteHistory: Sendable, Hashable {
  /// A change of the route.
  public struct Change: Sendable, Hashable {
    /// The route that was reported last, as it was last known.
    public var from: RouteTrace
    /// The route as it is now known.
    public var to: RouteTrace
  }

  /// A router is forgotten when it was not seen in so many traces; a route that comes back is reported when so
  /// many have shown it in a row. Of two routes that are taken at random, one comes so often in a row in one of 32,768
  /// cases.
  public static let memory = 15

  /// A router at its distance, or without an address the length of a route.
  private struct Place: Sendable, Hashable {
    var hop: Int
    var address: IPAddress?
  }

  private var number = 0
  /// The number of the last trace that had it; at most those of `memory` traces.
  private var seen: [Place: Int] = [:]
  private var reported: RouteTrace?
  /// The route of the last traces, where that is not the one that was reported.
  private var current: RouteTrace?
  private var held = 0

  /// Knows no route yet.
  public init() {}

  /// Takes the next trace; the first is no change.
  public mutating func record(_ trace: RouteTrace) -> Change? {
    var trace = trace
    // Who says that it goes no further stands where the next router was: that is an outage, not another route.
    if case .stopped(let why) = trace.ending, let reporter = why.reporter,
      trace.hops.last?.address == reporter
    {
      trace.hops.removeLast()
    }
    number += 1
    defer { note(trace) }
    guard let reported else {
      self.reported = trace
      return nil
    }
    guard trace.differs(from: reported) else {
      self.reported = reported.completed(by: trace)
      (current, held) = (nil, 0)
      return nil
    }
    if let before = current, !trace.differs(from: before) {
      (current, held) = (before.completed(by: trace), held + 1)
    } else {
      (current, held) = (trace, 1)
    }
    guard held >= Self.memory || isNew(trace, beside: reported) else { return nil }
    let change = Change(from: reported, to: current ?? trace)
    (self.reported, current, held) = (change.to, nil, 0)
    return change
  }

  /// Whether `trace` differs from `reported` by something that was not seen a moment ago.
  private func isNew(_ trace: RouteTrace, beside reported: RouteTrace) -> Bool {
    let isOfOtherLength =
      trace.ending == .reached && reported.ending == .reached && trace.hops.count != reported.hops.count
    if isOfOtherLength, seen[Place(hop: trace.hops.count)] == nil { return true }
    return zip(trace.hops, reported.hops).enumerated().contains { index, hops in
      guard let address = hops.0.address, let old = hops.1.address, address != old else { return false }
      return seen[Place(hop: index, address: address)] == nil
    }
  }

  private mutating func note(_ trace: RouteTrace) {
    for (index, hop) in trace.hops.enumerated() {
      if let address = hop.address { seen[Place(hop: index, address: address)] = number }
    }
    if trace.ending == .reached { seen[Place(hop: trace.hops.count)] = number }
    seen = seen.filter { number - $0.value < Self.memory }
  }
}
