import Model

let sampleTarget = ProbeTarget(name: "google.com", address: IPAddress(v4: 0xacd9_030e))

func probe(_ finding: ProbeResult.Finding, target: ProbeTarget = sampleTarget) -> ProbeResult {
  ProbeResult(target: target, time: sampleTime, finding: finding)
}

extension Duration {
  /// A time in milliseconds, to the nanosecond.
  static func ms(_ value: Double) -> Duration { .nanoseconds(Int64((value * 1e6).rounded())) }
}

/// 3, 4 and 8 ms of four pings.
let sampleBurst = PingBurst(
  sent: 4, roundTrips: [.ms(3), .ms(4), .ms(8)], duplicates: 2, late: 1,
  error: PathError(.hostUnreachable, reporter: IPAddress(v4: 0x0a00_0001)))

let sampleTrace = RouteTrace(
  hops: [.init(), .init(IPAddress(v4: 0x0aa8_fd08), .ms(2.187014))], ending: .exhausted)

/// Two paths of three flows.
let samplePaths = RouteTrace(flows: [
  RouteTrace(hops: [.init(), .init(IPAddress(v4: 0x0a00_0003), .ms(3))], ending: .reached),
  RouteTrace(
    hops: [.init(IPAddress(v4: 0x0a00_0001), .ms(1)), .init(IPAddress(v4: 0x0a00_0003), .ms(2))],
    ending: .reached),
  RouteTrace(hops: [.init(IPAddress(v4: 0x0a00_0002), .ms(1))], ending: .stopped(PathError(.prohibited))),
])

let sampleScan = ServiceScan(
  http: .answered(.init(roundTrip: .ms(59.095), status: 200, server: "gws")),
  https: .answered(
    .init(roundTrip: .ms(61), status: 301, server: nil, certificateProblem: "certificate has expired")),
  mysql: .missing("connection refused"))
