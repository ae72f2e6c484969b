import Model
import Testing

@testable import Output

@Suite struct ProbeTableTests {
  private static let report = HostReport(
    target: sampleTarget, ping: sampleBurst,
    trace: RouteTrace(
      hops: Array(repeating: .init(), count: 8)
        + [
          .init(IPAddress(v4: 0x0aa8_fd08), .ms(2.187)),
          .init(IPAddress(high: 0xfe80 << 48, low: 1), .ms(12)),
        ],
      ending: .stopped(PathError(.prohibited))), scan: sampleScan)

  @Test func `a report is read at a glance`() {
    let lines = ProbeTable(width: 80, color: false).lines(Self.report)
    let expected = """
      google.com (172.217.3.14)
        ping   25.0 % loss: 3 of 4 received, 2 duplicates, 1 late
               min 3.000, avg 5.000, max 8.000, std 2.646 ms
               host unreachable (10.0.0.1 says)
        trace   1  *
                2  *
                3  *
                4  *
                5  *
                6  *
                7  *
                8  *
                9  10.168.253.8   2.187 ms
               10  fe80::1       12.000 ms
               stopped: prohibited by a filter
        http   200, gws, 59.095 ms
        https  301, Unknown, 61.000 ms
               certificate: certificate has expired
        mysql  none: connection refused
      """
    #expect(lines.joined(separator: "\n") == expected)
  }

  @Test(
    arguments: [
      (
        HostReport(target: sampleTarget, ping: PingBurst(sent: 10, roundTrips: [])),
        ["google.com (172.217.3.14)", "  ping   100.0 % loss: 0 of 10 received"]
      ),
      (
        HostReport(
          target: sampleTarget, trace: RouteTrace(hops: [], ending: .stopped(PathError(.networkUnreachable)))),
        ["google.com (172.217.3.14)", "  trace  stopped: network unreachable"]
      ),
      (
        HostReport(target: sampleTarget, trace: RouteTrace(hops: [.init()], ending: .exhausted)),
        ["google.com (172.217.3.14)", "  trace  1  *", "         not reached in 1 hops"]
      ),
      (
        HostReport(target: sampleTarget, trace: RouteTrace(hops: [.init(.anyV6, .ms(1))], ending: .reached)),
        ["google.com (172.217.3.14)", "  trace  1  ::  1.000 ms"]
      ),
      (
        HostReport(target: sampleTarget, trace: samplePaths),
        [
          "google.com (172.217.3.14)", "  trace  path 1 of 2: 2 of 3 flows", "         1  10.0.0.1  1.000 ms",
          "         2  10.0.0.3  2.000 ms", "         path 2 of 2: 1 of 3 flows",
          "         1  10.0.0.2  1.000 ms", "         stopped: prohibited by a filter",
        ]
      ),
      (
        HostReport(
          target: sampleTarget,
          trace: RouteTrace(
            flows: Array(repeating: RouteTrace(hops: [.init(.anyV6, .ms(1))], ending: .reached), count: 4))),
        ["google.com (172.217.3.14)", "  trace  1 path of all 4 flows", "         1  ::  1.000 ms"]
      ),
      (HostReport(target: ProbeTarget(name: "::", address: .anyV6)), ["::"]),
    ])
  func `what was not asked for or is well has no line`(report: HostReport, lines: [String]) {
    #expect(ProbeTable(width: 80, color: false).lines(report) == lines)
  }

  @Test(
    arguments: [
      (PingBurst(sent: 1, roundTrips: [.ms(1)]), nil), (PingBurst(sent: 2, roundTrips: [.ms(1)]), "33"),
      (PingBurst(sent: 1, roundTrips: []), "31"),
    ] as [(PingBurst, String?)])
  func `loss has a colour`(burst: PingBurst, attribute: String?) {
    let lines = ProbeTable(width: 80, color: true).lines(HostReport(target: sampleTarget, ping: burst))
    #expect(lines[0] == "\u{1b}[1mgoogle.com (172.217.3.14)\u{1b}[0m")
    #expect(lines[1].hasPrefix(attribute.map { "\u{1b}[\($0)m  ping" } ?? "  ping"))
    let plain = ProbeTable(width: 80, color: false).lines(HostReport(target: sampleTarget, ping: burst))
    #expect(!plain.joined().contains("\u{1b}"))
  }

  @Test func `no width is too small and no line is wider`() {
    var hostile = Self.report
    hostile.target.name = hostileName
    hostile.scan?.http = .answered(.init(roundTrip: .ms(1), status: 200, server: "日本語 " + hostileName))
    hostile.scan?.mysql = .missing(String(repeating: "long ", count: 100))
    for width in -1...120 {
      for report in [Self.report, hostile] {
        let lines = ProbeTable(width: width, color: false).lines(report)
        #expect(lines.allSatisfy { $0.displayWidth <= max(0, width) }, "\(width)")
        #expect(!lines.joined().unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{202e}" })
        #expect(lines.isEmpty == (width < 1))
      }
    }
  }
}
