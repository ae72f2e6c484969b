import Foundation
import Model
import Testing

import Output

/// The strings are what connvitals 4.3.2 and connmonitor 4.1.3 themselves print of the same figures.
@Suite struct ConnvitalsFormatTests {
  static let bursts: [(PingBurst, String, String)] = [
    (
      PingBurst(sent: 4, roundTrips: [.ms(3), .ms(4), .ms(8)]), "3.000\t5.000\t8.000\t2.646\t25.000",
      #"{"min":3.000000,"avg":5.000000,"max":8.000000,"std":2.645751,"loss":25.000000}"#
    ),
    (
      PingBurst(sent: 10, roundTrips: []), "-1.000\t-1.000\t-1.000\t-1.000\t100.000",
      #"{"min":-1.000000,"avg":-1.000000,"max":-1.000000,"std":-1.000000,"loss":100.000000}"#
    ),
    (
      PingBurst(sent: 0, roundTrips: []), "-1.000\t-1.000\t-1.000\t-1.000\t100.000",
      #"{"min":-1.000000,"avg":-1.000000,"max":-1.000000,"std":-1.000000,"loss":100.000000}"#
    ),
    // A single sample; its last digit is a tie in binary: to the even one.
    (
      PingBurst(sent: 1, roundTrips: [.ms(0.0625)]), "0.062\t0.062\t0.062\t0.000\t0.000",
      #"{"min":0.062500,"avg":0.062500,"max":0.062500,"std":0.000000,"loss":0.000000}"#
    ),
    (
      PingBurst(sent: 3, roundTrips: [.ms(0.1875)]), "0.188\t0.188\t0.188\t0.000\t66.667",
      #"{"min":0.187500,"avg":0.187500,"max":0.187500,"std":0.000000,"loss":66.666667}"#
    ),
    // Whatever else the burst says is not part of these formats.
    (
      PingBurst(sent: 2, roundTrips: [.seconds(1), .seconds(11)], duplicates: 9, late: 9),
      "1000.000\t6000.000\t11000.000\t7071.068\t0.000",
      #"{"min":1000.000000,"avg":6000.000000,"max":11000.000000,"std":7071.067812,"loss":0.000000}"#
    ),
  ]

  @Test(arguments: bursts)
  func `a burst has five figures`(burst: PingBurst, text: String, json: String) {
    #expect(ConnvitalsText.ping(burst) == text)
    #expect(ConnvitalsJSON.ping(burst) == json)
  }

  @Test(
    arguments: [
      (sampleTrace, "*\n10.168.253.8\t2.187", #"[["*"],["10.168.253.8", 2.187014]]"#),
      (
        RouteTrace(
          hops: [.init(IPAddress(high: 0xfe80 << 48, low: 1), .ms(0.000499)), .init(.anyV6, .ms(1000))],
          ending: .reached),
        "fe80::1\t0.000\n::\t1000.000", #"[["fe80::1", 0.000499],["::", 1000.000000]]"#
      ),
      (
        RouteTrace(hops: Array(repeating: .init(), count: 3), ending: .exhausted), "*\n*\n*",
        #"[["*"],["*"],["*"]]"#
      ),
      // The original hung here.
      (RouteTrace(hops: [], ending: .stopped(PathError(.networkUnreachable))), "*", #"[["*"]]"#),
    ])
  func `a trace has a line or a step a hop`(trace: RouteTrace, text: String, json: String) {
    #expect(ConnvitalsText.trace(trace) == text)
    #expect(ConnvitalsJSON.trace(trace) == json)
  }

  static let scans: [(ServiceScan, String, String)] = [
    (
      ServiceScan(http: .missing("a"), https: .missing("b"), mysql: .missing("c")), "None\tNone\tNone",
      #"{"http":"None","https":"None","mysql":"None"}"#
    ),
    (
      ServiceScan(
        http: .answered(.init(roundTrip: .ms(59.095), status: 200, server: "gws")), https: .missing("b"),
        mysql: .missing("c")), "59.095, 200, gws\tNone\tNone",
      #"{"http":{"rtt":59.095000,"response code":"200","server":"gws"},"https":"None","mysql":"None"}"#
    ),
    (
      ServiceScan(
        http: .answered(.init(roundTrip: .ms(59.095), status: 200, server: "gws")),
        https: .answered(
          .init(roundTrip: .ms(61), status: 301, server: "a/1 (b)", certificateProblem: "expired")),
        mysql: .answered(.init(roundTrip: .ms(1.25), version: "5.7.2-log"))),
      "59.095, 200, gws\t61.000, 301, a/1 (b)\t1.250, 5.7.2",
      #"{"http":{"rtt":59.095000,"response code":"200","server":"gws"},"https":{"rtt":61.000000,"#
        + #""response code":"301","server":"a/1 (b)"},"mysql":{"rtt":1.250000,"version":"5.7.2"}}"#
    ),
    // The manual's word, not the code's.
    (
      ServiceScan(
        http: .answered(.init(roundTrip: .ms(1), status: 404, server: nil)), https: .missing("b"),
        mysql: .missing("c")), "1.000, 404, Unknown\tNone\tNone",
      #"{"http":{"rtt":1.000000,"response code":"404","server":"Unknown"},"https":"None","mysql":"None"}"#
    ),
    // A quote made the original's JSON invalid, a line feed two lines of its text.
    (
      ServiceScan(
        http: .answered(.init(roundTrip: .ms(1), status: 200, server: "a\"\\\u{1b}[2J\n")),
        https: .missing("b"), mysql: .answered(.init(roundTrip: .ms(1), version: "\u{7}x"))),
      "1.000, 200, a\"\\\\e[2J\\n\tNone\t1.000, \\u{7}x",
      #"{"http":{"rtt":1.000000,"response code":"200","server":"a\"\\\u001b[2J\u000a"},"https":"None","#
        + #""mysql":{"rtt":1.000000,"version":"\u0007x"}}"#
    ),
  ]

  @Test(arguments: scans)
  func `a scan has three places`(scan: ServiceScan, text: String, json: String) throws {
    #expect(ConnvitalsText.scan(scan) == text)
    #expect(ConnvitalsJSON.scan(scan) == json)
    _ = try JSONSerialization.jsonObject(with: Data(json.utf8))
  }

  @Test(arguments: [
    ("5.7.2-log", "5.7.2"), ("8.0.36", "8.0.36"), ("10.11.6-MariaDB-0+deb12u1", "10.11.6"), ("5.5", "5.5"),
    ("x5", "x5"), ("", ""),
  ])
  func `a version is its number`(version: String, shown: String) {
    let scan = ServiceScan(
      http: .missing(""), https: .missing(""),
      mysql: .answered(.init(roundTrip: .ms(2), version: version)))
    #expect(ConnvitalsText.scan(scan) == "None\tNone\t2.000, \(shown)")
  }

  @Test(arguments: [
    ("google.com", "google.com (172.217.3.14)"), ("172.217.3.14", "172.217.3.14"),
    ("172.217.003.014", "172.217.003.014 (172.217.3.14)"), ("a\u{1b}", "a\\e (172.217.3.14)"),
  ])
  func `the head is the name, and the address where it is another`(name: String, head: String) {
    #expect(ConnvitalsText.head(ProbeTarget(name: name, address: sampleTarget.address)) == head)
  }

  private static let documented = PingBurst(sent: 2, roundTrips: [.ms(3.5), .ms(5.75)])

  @Test(
    arguments: [
      (
        HostReport(target: sampleTarget), "google.com (172.217.3.14)",
        #"{"addr":"172.217.3.14","name":"google.com"}"#
      ),
      (
        HostReport(target: sampleTarget, ping: documented, trace: sampleTrace, scan: scans[1].0),
        "google.com (172.217.3.14)\n3.500\t4.625\t5.750\t1.591\t0.000\n*\n10.168.253.8\t2.187\n"
          + "59.095, 200, gws\tNone\tNone",
        #"{"addr":"172.217.3.14","name":"google.com","ping":{"min":3.500000,"avg":4.625000,"max":5.750000,"#
          + #""std":1.590990,"loss":0.000000},"trace":[["*"],["10.168.253.8", 2.187014]],"#
          + #""scan":{"http":{"rtt":59.095000,"response code":"200","server":"gws"},"https":"None","mysql":"None"}}"#
      ),
      (
        HostReport(target: ProbeTarget(name: "h\"\u{202e}", address: .anyV6), trace: sampleTrace),
        "h\"\\u{202e} (::)\n*\n10.168.253.8\t2.187",
        #"{"addr":"::","name":"h\"\u202e","trace":[["*"],["10.168.253.8", 2.187014]]}"#
      ),
    ])
  func `a report of connvitals`(report: HostReport, text: String, json: String) {
    #expect(ConnvitalsText.lines(report) == text)
    #expect(ConnvitalsJSON.line(report) == json)
  }
}

@Suite struct ConnmonitorRecordTests {
  private static let ping = ProbeResult.Finding.ping(PingBurst(sent: 1, roundTrips: [.ms(3)]))
  private static let time = Timestamp(seconds: 1_795_221_403, nanoseconds: 665_729_492, utcOffset: 20_700)

  @Test(
    arguments: [
      (
        ping, false, true,
        "google.com 172.217.3.14\nSat Nov 21 06:21:43 2026\n3.000\t3.000\t3.000\t0.000\t0.000"
      ),
      (ping, false, false, "google.com 172.217.3.14\n3.000\t3.000\t3.000\t0.000\t0.000"),
      (
        ping, true, true,
        #"{"addr":"172.217.3.14","name":"google.com","timestamp":1795221403665.729492,"#
          + #""ping":{"min":3.000000,"avg":3.000000,"max":3.000000,"std":0.000000,"loss":0.000000}}"#
      ),
      (
        ping, true, false,
        #"{"addr":"172.217.3.14", "name":"google.com", "#
          + #""ping":{"min":3.000000,"avg":3.000000,"max":3.000000,"std":0.000000,"loss":0.000000}}"#
      ),
      (
        .trace(sampleTrace), false, true,
        "google.com 172.217.3.14\nSat Nov 21 06:21:43 2026\n*\n10.168.253.8\t2.187"
      ),
      (
        .trace(sampleTrace), true, true,
        #"{"addr":"172.217.3.14","name":"google.com","timestamp":1795221403665.729492,"#
          + #""trace":[["*"],["10.168.253.8", 2.187014]]}"#
      ),
      (
        .trace(sampleTrace), true, false,
        #"{"addr":"172.217.3.14", "name":"google.com", "trace":[["*"],["10.168.253.8", 2.187014]]}"#
      ),
      (
        .scan(ConnvitalsFormatTests.scans[1].0), false, true,
        "google.com 172.217.3.14\nSat Nov 21 06:21:43 2026\n59.095, 200, gws\tNone\tNone"
      ),
      (
        .scan(ConnvitalsFormatTests.scans[1].0), true, false,
        #"{"addr":"172.217.3.14", "name":"google.com", "#
          + #""scan":{"http":{"rtt":59.095000,"response code":"200","server":"gws"},"https":"None","mysql":"None"}}"#
      ),
    ] as [(ProbeResult.Finding, Bool, Bool, String)])
  func `a record`(finding: ProbeResult.Finding, json: Bool, timestamp: Bool, text: String) throws {
    let result = ProbeResult(target: sampleTarget, time: Self.time, finding: finding)
    let record = try #require(ConnmonitorRecord(result, usesJSON: json, hasTimestamp: timestamp))
    #expect(record.description == text)
    if json { _ = try JSONSerialization.jsonObject(with: Data(text.utf8)) }
  }

  @Test func `a host that is written as its address has it once`() {
    let target = ProbeTarget(name: "::1", address: IPAddress(high: 0, low: 1))
    let result = ProbeResult(target: target, time: Self.time, finding: Self.ping)
    let record = ConnmonitorRecord(result, usesJSON: false, hasTimestamp: false)
    #expect(record?.description == "::1\n3.000\t3.000\t3.000\t0.000\t0.000")
  }

  @Test(arguments: [false, true])
  func `a stranger's name is one line`(json: Bool) {
    let target = ProbeTarget(name: hostileName, address: .anyV4)
    let result = ProbeResult(target: target, time: Self.time, finding: Self.ping)
    let record = ConnmonitorRecord(result, usesJSON: json, hasTimestamp: true)
    #expect(record?.description.split(separator: "\n").count == (json ? 1 : 3))
    #expect(record?.description.unicodeScalars.contains("\u{1b}") == false)
  }

  @Test func `an attempt to connect is no record`() {
    let result = ProbeResult(
      target: sampleTarget, time: Self.time, finding: .connection(port: 1, .failed("x")))
    #expect(ConnmonitorRecord(result, usesJSON: true, hasTimestamp: true) == nil)
    #expect(ConnmonitorRecord(result, usesJSON: false, hasTimestamp: true) == nil)
  }

  @Test(
    arguments: [
      (
        .error(type: "OSError", "No input file to read! (input given on stdin)"), "255;0;0",
        "EE: OSError: No input file to read! (input given on stdin) -\t Sun Nov  1 08:14:19 2026"
      ),
      (
        .error(type: "str", "No hosts could be parsed! Exiting..."), "255;0;0",
        "EE: str: No hosts could be parsed! Exiting... -\t Sun Nov  1 08:14:19 2026"
      ),
      (
        .warning("Connection Refused by ::1 on port 80"), "238;216;78",
        "WW: Connection Refused by ::1 on port 80 -\t Sun Nov  1 08:14:19 2026"
      ),
      (.warning("a\u{1b}[2J\nb"), "238;216;78", "WW: a\\e[2J\\nb -\t Sun Nov  1 08:14:19 2026"),
    ] as [(ConnvitalsMessage, String, String)])
  func `a message`(message: ConnvitalsMessage, rgb: String, line: String) {
    let time = Timestamp(seconds: 1_793_500_159, utcOffset: 20_700)
    #expect(message.line(at: time, color: false) == line)
    #expect(message.line(at: time, color: true) == "\u{1b}[38;2;\(rgb)m\(line) \u{1b}[m")
  }
}
