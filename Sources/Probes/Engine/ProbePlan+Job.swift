public import SystemRuntime
import Model

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
