public import Model

/// Says which traces of one address are worth a line: the first, and each that shows another route.
///
/// What is known of a hop is remembered while it does not answer, so that a hop that is silent for a while and then
/// another router is a change, and one that comes back as it was is none.
public struct RouteChange: Sendable, Hashable {
  /// What a trace shows.
  public enum Verdict: Sendable, Hashable {
    /// It is the first.
    case first
    /// The route is as far as it can be seen the one before.
    case same
    /// The route is another than this one, which is as it was last known.
    case changed(from: RouteTrace)

    /// Whether connmonitor writes a record of the trace.
    public var isShown: Bool { self != .same }
  }

  private var known: RouteTrace?

  /// Knows no route yet.
  public init() {}

  /// Takes the next trace in.
  public mutating func record(_ trace: RouteTrace) -> Verdict {
    guard let known else {
      self.known = trace
      return .first
    }
    guard trace.differs(from: known) else {
      self.known = known.completed(by: trace)
      return .same
    }
    self.known = trace
    return .changed(from: known)
  }
}

extension RouteTrace {
  /// This route with what `trace`, which does not differ from it, knows as well or knows better: the hops that answered
  /// in one of both, and the end of the one that came furthest.
  func completed(by trace: RouteTrace) -> RouteTrace {
    let isFurther = trace.ending == .reached || ending != .reached && trace.hops.count >= hops.count
    var whole = isFurther ? trace : self
    let other = isFurther ? self : trace
    for index in whole.hops.indices where index < other.hops.count && whole.hops[index].address == nil {
      whole.hops[index] = other.hops[index]
    }
    return whole
  }
}
