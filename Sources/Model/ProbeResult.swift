/// What is probed: the name that the user gave, and the address that stands for it.
public struct ProbeTarget: Sendable, Hashable {
  /// As it was written: a host name or an address.
  public var name: String
  /// The address that is asked.
  public var address: IPAddress

  /// Makes a target.
  public init(name: String, address: IPAddress) {
    self.name = name
    self.address = address
  }
}

/// What one round of a probe found.
public struct ProbeResult: Sendable, Hashable {
  /// What was done, and what came of it.
  public enum Finding: Sendable, Hashable {
    /// A burst of pings.
    case ping(PingBurst)
    /// A trace of the route.
    case trace(RouteTrace)
    /// A look at the services.
    case scan(ServiceScan)
    /// An attempt to connect to a TCP port: how long it took, or why it failed.
    case connection(port: UInt16, Connection)
  }

  /// How an attempt to connect ended.
  public enum Connection: Sendable, Hashable {
    /// The port accepts.
    case accepted(Duration)
    /// It does not: why.
    case failed(String)
    /// This host could not ask it, which says nothing of the port: why.
    case unknown(String)
  }

  /// Who was asked.
  public var target: ProbeTarget
  /// When the round began.
  public var time: Timestamp
  /// What was found.
  public var finding: Finding

  /// Makes a result.
  public init(target: ProbeTarget, time: Timestamp, finding: Finding) {
    self.target = target
    self.time = time
    self.finding = finding
  }
}

/// A host or the network is not reachable, or is again.
public struct Outage: Sendable, Hashable {
  /// Where the outage stands.
  public enum State: Sendable, Hashable {
    /// It has begun; before it all was reachable for this long.
    case began(afterUptime: Duration)
    /// It is over, and lasted this long; one shorter than is wanted is `ignored`.
    case ended(downtime: Duration, isIgnored: Bool)
  }

  /// What is not reachable.
  public var subject: String
  /// Where it stands.
  public var state: State
  /// When the first attempt began that failed, or the first that succeeded again.
  public var time: Timestamp

  /// Makes an outage.
  public init(subject: String, state: State, time: Timestamp) {
    self.subject = subject
    self.state = state
    self.time = time
  }
}
