public import SystemRuntime
import Model

/// What is asked of one host again and again.
public struct ProbePlan: Sendable, Hashable {
  /// Bursts of pings.
  public struct Ping: Sendable, Hashable {
    /// From the beginning of a burst to that of the next, or to its end if that is later.
    public var interval: Duration
    /// The requests of a burst.
    public var count = 10
    /// The bytes behind the ICMP header of a request.
    public var payload = 41

    /// Pings each `interval`.
    public init(interval: Duration) { self.interval = interval }
  }

  /// Traces of the route.
  public struct Trace: Sendable, Hashable {
    /// From the beginning of a trace to that of the next, or to its end if that is later.
    public var interval: Duration
    /// The most hops that are tried.
    public var hops = 30
    /// How long the answer of a hop may take.
    public var hopTimeout = Duration.seconds(1)

    /// Traces each `interval`.
    public init(interval: Duration) { self.interval = interval }
  }

  /// Looks at the services.
  public struct Scan: Sendable, Hashable {
    /// From the beginning of a scan to that of the next, or to its end if that is later.
    public var interval: Duration

    /// Scans each `interval`.
    public init(interval: Duration) { self.interval = interval }
  }

  /// Attempts to connect to a TCP port.
  public struct Connect: Sendable, Hashable {
    /// From the beginning of an attempt to that of the next, or to its end if that is later.
    public var interval: Duration
    /// The port.
    public var port: UInt16

    /// Connects to `port` each `interval`.
    public init(interval: Duration, port: UInt16) {
      self.interval = interval
      self.port = port
    }
  }

  /// The host as it is written: a name, or an address, a link-local one with its interface.
  public var host: String
  /// What it is called where the host is not what people call it: the name of a section.
  public var name: String?
  /// Whether this host stands for the network itself: where it fails together with all others, the others are not said to.
  public var isReference = false
  /// The line that says so, from 1, blank ones counted.
  public var line: Int
  /// Pings, if any.
  public var ping: Ping?
  /// Traces, if any.
  public var trace: Trace?
  /// Scans, if any.
  public var scan: Scan?
  /// Connections, if any; connmonitor's file has no word for them.
  public var connect: Connect?
  /// Whether connmonitor writes JSON of this host.
  public var usesJSON = false
  /// Whether connmonitor writes the time.
  public var hasTimestamp = true

  /// The longest time from one result to the next that says whether something answers; nil where none does.
  public var cadence: Duration? {
    let burst = ping.map { max($0.interval, ProbeJob.Ping.standardGap * $0.count) }
    return [burst, scan?.interval, connect?.interval].compactMap(\.self).max()
  }

  /// Makes a plan that asks nothing of `host` yet.
  public init(host: String, line: Int) {
    self.host = host
    self.line = line
  }

  /// What a number of requests may be: each has a number of 16 bits; with none a burst is lost, as in connmonitor.
  static let counts = 0...65_535
  /// What the bytes of a request may be: as many as an IPv4 packet holds behind its header and ICMP's.
  static let payloads = 0...65_507
  /// What a number of hops may be (RFC 791's time to live).
  static let hops = 1...255
  /// How long the answer of a hop may take.
  public static let hopTimeouts = Duration.milliseconds(10)...Duration.seconds(600)
}

extension ProbePlan {
  /// The job that this plan is once the host's address is known; nil where none of `answer` can be used. The first address is
  /// taken (RFC 6724 orders them).
  public func job(at answer: HostLookup.Answer) -> ProbeJob? {
    guard case .success(let endpoints) = answer, let endpoint = endpoints.first(where: \.isUsable) else {
      return nil
    }
    var job = ProbeJob(
      number: line, target: ProbeTarget(name: name ?? host, address: endpoint.endpoint.address), host: host,
      zone: endpoint.zone)
    job.ping = ping.map { ProbeJob.Ping(interval: $0.interval, count: $0.count, payload: $0.payload) }
    job.trace = trace.map { ProbeJob.Trace(interval: $0.interval, hops: $0.hops, timeout: $0.hopTimeout) }
    job.scan = scan.map { ProbeJob.Scan(interval: $0.interval) }
    job.connect = connect.map { ProbeJob.Connect(interval: $0.interval, port: $0.port) }
    return job
  }
}
