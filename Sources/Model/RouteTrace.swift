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

  /// Makes a trace.
  public init(hops: [Hop], ending: Ending) {
    self.hops = hops
    self.ending = ending
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
  /// The sections of the configuration that want to be told.
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
