import Foundation
import Model
import Testing

import Output

/// Probes and outages as JSON lines, and what the other renderers do with them.
@Suite struct ProbeEventTests {
  private static let start =
    #"{"schema":1,"event":"probe","time":"2026-11-21T10:00:01.007Z","target":"google.com","#
    + #""address":"172.217.3.14","#
  private static let end = #","host":"server-1","version":"2.0.0"}"# + "\n"

  private func json(_ event: Event) -> String {
    var renderer = JSONRenderer(origin: sampleOrigin)
    return renderer.render(event)
  }

  @Test(
    arguments: [
      (
        .ping(sampleBurst),
        #""kind":"ping","sent":4,"received":3,"loss":25.000,"min":3.000000,"avg":5.000000,"max":8.000000,"#
          + #""std":2.645751,"duplicates":2,"late":1,"error":"host unreachable (10.0.0.1 says)""#
      ),
      (
        .ping(PingBurst(sent: 0, roundTrips: [])),
        #""kind":"ping","sent":0,"received":0,"loss":100.000,"min":null,"avg":null,"max":null,"#
          + #""std":null,"duplicates":0,"late":0,"error":null"#
      ),
      (
        .trace(sampleTrace),
        #""kind":"trace","ending":"exhausted","error":null,"hops":[{"ttl":1,"address":null,"rtt":null},"#
          + #"{"ttl":2,"address":"10.168.253.8","rtt":2.187014}]"#
      ),
      (
        .trace(RouteTrace(hops: [], ending: .stopped(PathError(.networkUnreachable)))),
        #""kind":"trace","ending":"stopped","error":"network unreachable","hops":[]"#
      ),
      (
        .trace(RouteTrace(hops: [.init(.anyV6, .ms(1))], ending: .reached)),
        #""kind":"trace","ending":"reached","error":null,"hops":[{"ttl":1,"address":"::","rtt":1.000000}]"#
      ),
      (
        .trace(samplePaths),
        #""kind":"trace","ending":"reached","error":null,"hops":[{"ttl":1,"address":"10.0.0.1","rtt":1.000000},"#
          + #"{"ttl":2,"address":"10.0.0.3","rtt":2.000000}],"flows":3,"paths":[{"flows":2,"ending":"reached","#
          + #""error":null,"hops":[{"ttl":1,"address":"10.0.0.1","rtt":1.000000},"#
          + #"{"ttl":2,"address":"10.0.0.3","rtt":2.000000}]},{"flows":1,"ending":"stopped","#
          + #""error":"prohibited by a filter","hops":[{"ttl":1,"address":"10.0.0.2","rtt":1.000000}]}]"#
      ),
      (
        .scan(sampleScan),
        #""kind":"scan","http":{"rtt":59.095000,"status":200,"server":"gws","certificate":null,"error":null},"#
          + #""https":{"rtt":61.000000,"status":301,"server":null,"#
          + #""certificate":"certificate has expired","error":null},"#
          + #""mysql":{"rtt":null,"version":null,"error":"connection refused"}"#
      ),
      (
        .scan(
          ServiceScan(
            http: .missing("no answer"), https: .missing("\u{1b}"),
            mysql: .answered(.init(roundTrip: .ms(1.5), version: "10.11.6-MariaDB")))),
        #""kind":"scan","http":{"rtt":null,"status":null,"server":null,"certificate":null,"error":"no answer"},"#
          + #""https":{"rtt":null,"status":null,"server":null,"certificate":null,"error":"\u001b"},"#
          + #""mysql":{"rtt":1.500000,"version":"10.11.6-MariaDB","error":null}"#
      ),
      (
        .connection(port: 443, .accepted(.ms(0.25))),
        #""kind":"connect","port":443,"rtt":0.250000,"error":null"#
      ),
      (
        .connection(port: 1, .failed("connection refused")),
        #""kind":"connect","port":1,"rtt":null,"error":"connection refused""#
      ),
    ] as [(ProbeResult.Finding, String)])
  func `the result of a probe is one line`(finding: ProbeResult.Finding, keys: String) throws {
    let text = json(.probe(probe(finding)))
    #expect(text == Self.start + keys + Self.end)
    _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
  }

  @Test(
    arguments: [
      (
        .began(afterUptime: .milliseconds(604_003)),
        #""state":"firing","subject":"gateway","uptime":604.003"#,
        "2026-11-21 11:00:01: gateway is not reachable (uptime: 604.003 s)"
      ),
      (
        .ended(downtime: .milliseconds(7512), isIgnored: false),
        #""state":"resolved","subject":"gateway","downtime":7.512,"ignored":false"#,
        "2026-11-21 11:00:01: gateway is reachable again (downtime: 7.512 s)"
      ),
      (
        .ended(downtime: .seconds(3), isIgnored: true),
        #""state":"resolved","subject":"gateway","downtime":3.000,"ignored":true"#,
        "2026-11-21 11:00:01: gateway is reachable again (downtime: 3.000 s) (ignored)"
      ),
    ] as [(Outage.State, String, String)])
  func `an outage is one line`(state: Outage.State, keys: String, line: String) {
    let event = Event.outage(Outage(subject: "gateway", state: state, time: sampleTime))
    let start = #"{"schema":1,"event":"outage","time":"2026-11-21T10:00:01.007Z","#
    #expect(json(event) == start + keys + Self.end)
    for style in PlainRenderer.Style.allCases {
      var plain = PlainRenderer(style: style)
      #expect(plain.render(event) == line + "\n\n")
    }
  }

  @Test func `a stranger's text comes back as it was from JSON and cannot drive a terminal in a plain line`()
    throws
  {
    let scan = ServiceScan(
      http: .answered(.init(roundTrip: .ms(1), status: 200, server: hostileName)),
      https: .missing(hostileName), mysql: .answered(.init(roundTrip: .ms(1), version: hostileName)))
    let text = json(
      .probe(probe(.scan(scan), target: ProbeTarget(name: hostileName, address: .anyV4))))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let http = try #require(object["http"] as? [String: Any])
    let read = [object["target"], http["server"], (object["mysql"] as? [String: Any])?["version"]]
    for value in read {
      #expect((value as? String).map { Array($0.unicodeScalars) } == Array(hostileName.unicodeScalars))
    }
    let outage = Outage(subject: hostileName, state: .began(afterUptime: .zero), time: sampleTime)
    #expect(!OutageLine(outage).description.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{202e}" })
  }

  @Test func `what a probe finds has no line in plain and no row in a table`() {
    var table = TableRenderer(width: 80, height: nil, color: false)
    #expect(table.render(.probe(probe(.ping(sampleBurst)))).isEmpty)
    for style in PlainRenderer.Style.allCases {
      var plain = PlainRenderer(style: style)
      #expect(plain.render(.probe(probe(.ping(sampleBurst)))).isEmpty)
    }
  }
}
