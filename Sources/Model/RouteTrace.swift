/// The route to one address as a trace found it (traceroute(8)).
public struct RouteTrace: Sendable, Hashable {
  /// What is known of the router at one distance.
  public struct Hop: Sendable, Hashable {
    /// Who answered; nil for nobody in time, which is no loss: many routers answer seldom or never.
    public var address: IPAddress?
    /// How long the answer took; nil without one.
    public var roundTrip: Duration?

    /// Makes a hop that answered.
    public init(_ address: IPAddress, _ roundTrip: Duration) {
      self.address = address
      self.roundTrip = roundTrip
    }

    /// Makes a hop that did not answer.
    public init() {}
  }

  /// How a trace ended.
  public enum Ending: Sendable, Hashable {
    /// The destination answered: it is the last hop.
    case reached
    /// The last hop, or this host without one, says that it goes no further.
    case stopped(PathError)
    /// The hops were used up.
    case exhausted
  }

  /// The hops by their distance, the nearest first.
  public var hops: [Hop]
  /// How it ended.
  public var ending: Ending
  /// How many flows have taken this path; routers that balance send each flow one way.
  public var flows = 1
  /// The other paths, of further flows; they have none themselves.
  public var others: [RouteTrace] = []

  /// Makes a trace of one flow.
  public init(hops: [Hop], ending: Ending) {
    self.hops = hops
    self.ending = ending
  }

  /// Joins what the traces of several flows have found: each path once, the one of most flows first, with hops of one flow that
  /// did not answer another one's. A flow that may have taken several paths counts for the one of most flows.
  public init(flows traces: [RouteTrace]) {
    let traces = Self.nearest(traces)
    var paths: [RouteTrace] = []
    // Which path a flow took is best known where most hops answered.
    let answers = traces.map { trace in trace.hops.count { $0.address != nil } }
    for index in traces.indices.sorted(by: { (answers[$1], $0) < (answers[$0], $1) }) {
      let trace = traces[index]
      let same = paths.indices.filter { !trace.differs(from: paths[$0]) }
      guard let most = same.max(by: { (paths[$0].flows, $1) < (paths[$1].flows, $0) }) else {
        paths.append(trace)
        continue
      }
      let flows = paths[most].flows + trace.flows
      paths[most] = trace.completed(by: paths[most])
      paths[most].flows = flows
    }
    let order = paths.indices.sorted { (paths[$1].flows, $0) < (paths[$0].flows, $1) }
    self = order.first.map { paths[$0] } ?? RouteTrace(hops: [], ending: .exhausted)
    others = order.dropFirst().map { paths[$0] }
  }

  /// The traces with their ends where another flow of the same routers has found it: a destination that answers seldom (Linux:
  /// icmp_ratelimit) is silent at its own distance, and answers at one beyond it.
  private static func nearest(_ traces: [RouteTrace]) -> [RouteTrace] {
    traces.map { trace in
      guard trace.ending == .reached, let end = trace.hops.last else { return trace }
      let shortest = traces.lazy.filter { other in
        other.ending == .reached && other.hops.count < trace.hops.count && !other.hops.isEmpty
          && trace.hops[(other.hops.count - 1)..<(trace.hops.count - 1)].allSatisfy { $0.address == nil }
          && zip(other.hops.dropLast(), trace.hops).allSatisfy { old, new in
            old.address == nil || new.address == nil || old.address == new.address
          }
      }.map(\.hops.count).min()
      guard let shortest else { return trace }
      var whole = trace
      whole.hops = trace.hops.prefix(shortest - 1) + [end]
      return whole
    }
  }

  /// This route with what `trace`, which does not differ from it, knows as well or knows better: the hops that answered in one of
  /// both, and the end of the one that came furthest.
  public func completed(by trace: RouteTrace) -> RouteTrace {
    let isFurther = trace.ending == .reached || ending != .reached && trace.hops.count >= hops.count
    var whole = isFurther ? trace : self
    let other = isFurther ? self : trace
    for index in whole.hops.indices where index < other.hops.count && whole.hops[index].address == nil {
      whole.hops[index] = other.hops[index]
    }
    return whole
  }

  /// Whether the route is another than `earlier`: hops that did not answer in one of both are ignored.
  public func differs(from earlier: RouteTrace) -> Bool {
    let isLonger = (ending == .reached && earlier.ending == .reached) && hops.count != earlier.hops.count
    return isLonger
      || zip(hops, earlier.hops).contains { new, old in
        if let new = new.address, let old = old.address { new != old } else { false }
      }
  }
}

/// The route to a target is another than it was.
public struct ChangedRoute: Sendable, Hashable {
  /// Whose route.
  public var target: ProbeTarget
  /// The route as it was last known.
  public var from: RouteTrace
  /// The route as it is now.
  public var to: RouteTrace
  /// When the trace began that found it.
  public var time: Timestamp
  /// The sections of the configuration that want a notification.
  public var rules: [String]

  /// Makes the change of a route.
  public init(
    target: ProbeTarget, from: RouteTrace, to: RouteTrace, time: Timestamp, rules: [String] = []
  ) {
    self.target = target
    self.from = from
    self.to = to
    self.time = time
    self.rules = rules
  }
}
