public import Model

/// All that one run of connvitals found of one host; nil for what was not asked for.
public struct HostReport: Sendable, Hashable {
  /// Who was asked.
  public var target: ProbeTarget
  /// The pings.
  public var ping: PingBurst?
  /// The route.
  public var trace: RouteTrace?
  /// The services.
  public var scan: ServiceScan?

  /// Makes a report.
  public init(
    target: ProbeTarget, ping: PingBurst? = nil, trace: RouteTrace? = nil, scan: ServiceScan? = nil
  ) {
    self.target = target
    self.ping = ping
    self.trace = trace
    self.scan = scan
  }
}
