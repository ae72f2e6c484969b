public import Model

/// What is done with one target, and how often.
public struct ProbeJob: Sendable, Hashable {
  /// Bursts of pings.
  public struct Ping: Sendable, Hashable {
    /// From the beginning of one burst to that of the next, or the end of the burst if that is later; nil for one burst.
    public var interval: Duration?
    /// How many requests a burst has, 65,535 at most; one without any is lost.
    public var count: Int
    /// The bytes of a request after its header.
    public var payload: Int
    /// How long the answer to a request may take.
    public var timeout: Duration
    /// The time between two requests of a burst.
    public var gap: Duration

    /// The time between two requests, unless it is said otherwise.
    public static let standardGap = Duration.milliseconds(10)

    /// Makes the settings of a ping.
    public init(
      interval: Duration?, count: Int, payload: Int = 41, timeout: Duration = .seconds(1),
      gap: Duration = Self.standardGap
    ) {
      self.interval = interval
      self.count = min(max(count, 0), ProbePlan.counts.upperBound)
      self.payload = payload
      self.timeout = timeout
      self.gap = gap
    }
  }

  /// Traces of the route.
  public struct Trace: Sendable, Hashable {
    /// From the beginning of one trace to that of the next, or its end if that is later; nil for one trace.
    public var interval: Duration?
    /// The most hops that are looked for, 255 at most.
    public var hops: Int
    /// How long the answer of a hop may take.
    public var timeout: Duration
    /// How many flows are traced, 64 at most: routers that balance may send each another way.
    public var flows: Int
    /// Whether requests are UDP datagrams where ICMP is permitted, too: many routers, those of Linux among them, balance pings
    /// by addresses alone, and datagrams by ports.
    public var isUDP: Bool

    /// How many flows may be traced.
    public static let flowCounts = 1...64

    /// Makes the settings of a trace.
    public init(
      interval: Duration?, hops: Int, timeout: Duration = .seconds(1), flows: Int = 1, isUDP: Bool = false
    ) {
      self.interval = interval
      self.hops = min(max(hops, 1), 255)
      self.timeout = timeout
      self.flows = min(max(flows, Self.flowCounts.lowerBound), Self.flowCounts.upperBound)
      self.isUDP = isUDP
    }
  }

  /// Looks at the services.
  public struct Scan: Sendable, Hashable {
    /// From the beginning of one look to that of the next, or its end if that is later; nil for one.
    public var interval: Duration?
    /// How long the answer of a service may take.
    public var timeout: Duration

    /// Makes the settings of a scan.
    public init(interval: Duration?, timeout: Duration = .seconds(2)) {
      self.interval = interval
      self.timeout = timeout
    }
  }

  /// Attempts to connect to a TCP port.
  public struct Connect: Sendable, Hashable {
    /// From the beginning of one attempt to that of the next, or its end if that is later; nil for one.
    public var interval: Duration?
    /// The port.
    public var port: UInt16
    /// How long an attempt may take.
    public var timeout: Duration

    /// Makes the settings of attempts to connect.
    public init(interval: Duration?, port: UInt16, timeout: Duration = .seconds(2)) {
      self.interval = interval
      self.port = port
      self.timeout = timeout
    }
  }

  /// What tells apart two jobs with one target, such as the line of a file.
  public var number: Int
  /// Who is asked.
  public var target: ProbeTarget
  /// What web servers are asked for: the name of the host, or its address.
  public var host: String
  /// The interface of a link-local address; zero for none.
  public var zone: UInt32
  /// Bursts of pings; nil for none.
  public var ping: Ping?
  /// Traces; nil for none.
  public var trace: Trace?
  /// Looks at the services; nil for none.
  public var scan: Scan?
  /// Attempts to connect; nil for none.
  public var connect: Connect?

  /// Hashes what tells jobs apart: each record is filed under its job.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(number)
    hasher.combine(target.address)
  }

  /// Makes a job that does nothing yet. `host` is the target's name, where it is not given.
  public init(number: Int, target: ProbeTarget, host: String? = nil, zone: UInt32 = 0) {
    self.number = number
    self.target = target
    self.host = host ?? target.name
    self.zone = zone
  }
}
