/// A limit of a probe that was crossed, or no longer is.
public struct ProbeAlert: Sendable, Hashable {
  /// What the limit is of.
  public enum Measure: String, Sendable, Hashable, CaseIterable {
    /// Requests without a reply, in percent.
    case loss
    /// The mean round-trip time, in milliseconds.
    case roundTrip = "rtt"
    /// That nothing answers: 1, else 0.
    case down

    /// The unit of values and thresholds; empty for one without.
    public var unit: String {
      switch self {
      case .loss: "%"
      case .roundTrip: "ms"
      case .down: ""
      }
    }
  }

  /// How much one application moved of all that passed the interface by which the target is reached.
  public struct Share: Sendable, Hashable {
    /// The application.
    public var name: String
    /// Of which bytes.
    public var direction: Alert.Direction
    /// How many of them in percent.
    public var percent: Double

    /// Makes a share.
    public init(name: String, direction: Alert.Direction, percent: Double) {
      self.name = name
      self.direction = direction
      self.percent = percent
    }
  }

  /// The section of the configuration that it comes from.
  public var rule: String
  /// Who is probed.
  public var target: ProbeTarget
  /// What was crossed.
  public var measure: Measure
  /// What happened.
  public var state: Alert.State
  /// The value over the rule's interval, in the unit of the measure.
  public var value: Double
  /// The limit, in the same unit.
  public var threshold: Double
  /// The time that the value is over; zero for one round.
  public var interval: Duration
  /// Which applications moved most there in the last report; empty where that is not known.
  public var top: [Share] = []
  /// When the alert was first raised.
  public var since: Timestamp
  /// When this happened.
  public var time: Timestamp

  /// Makes an alert.
  public init(
    rule: String, target: ProbeTarget, measure: Measure, state: Alert.State, value: Double, threshold: Double,
    interval: Duration, since: Timestamp, time: Timestamp
  ) {
    self.rule = rule
    self.target = target
    self.measure = measure
    self.state = state
    self.value = value
    self.threshold = threshold
    self.interval = interval
    self.since = since
    self.time = time
  }
}

/// How a probed target was at its last round.
public struct ProbeState: Sendable, Hashable {
  /// Its name.
  public var name: String
  /// Whether something answered.
  public var isUp: Bool
  /// Requests without a reply in percent; nil where no pings are sent.
  public var loss: Double?
  /// The mean round-trip time in milliseconds; nil where it is not known.
  public var roundTrip: Double?
  /// How many hops its last trace has, of which the last is the target where it is up; nil for one that is not only traced.
  public var hops: Int?

  /// Makes a state.
  public init(name: String, isUp: Bool, loss: Double?, roundTrip: Double?, hops: Int? = nil) {
    self.name = name
    self.isUp = isUp
    self.loss = loss
    self.roundTrip = roundTrip
    self.hops = hops
  }
}
