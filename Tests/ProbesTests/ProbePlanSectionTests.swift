import INI
import Probes
import Testing

@Suite struct ProbePlanSectionTests {
  private func plan(_ keys: String) throws -> ProbePlan {
    let file = try INIFile(name: "f", bytes: "[a]\n\(keys)".utf8)
    return try ProbePlan(section: try #require(file.sections.first))
  }

  @Test(arguments: [
    ("type=ping\nhost=h", "h@1 ping 10000.0 10x41"),
    ("type=Ping\nhost=::1\ninterval=0.5\ncount=3\npayload=1400", "::1@1 ping 500.0 3x1400"),
    ("type=trace\nhost=h", "h@1 trace 60000.0 30"),
    ("type=trace\nhost=h\ninterval=5m\nhops=64", "h@1 trace 300000.0 64"),
    ("type=trace\nhost=h\nhop_timeout=250ms", "h@1 trace 60000.0 30 250.0"),
    ("type=trace\nhost=h\nhop_timeout=2.5\nhops=3", "h@1 trace 60000.0 3 2500.0"),
    ("type=scan\nhost=h\ninterval=30", "h@1 scan 30000.0"),
    ("type=connect\nhost=fe80::1%eth0\nport=443", "fe80::1%eth0@1 connect 10000.0 443"),
    ("TYPE=connect\nHost=h\nPort=65535\nInterval=100ms", "h@1 connect 100.0 65535"),
  ])
  func `a section is one probe`(keys: String, expected: String) throws {
    let plan = try plan(keys)
    #expect(shown([plan]) == expected)
    #expect(!plan.usesJSON && plan.hasTimestamp)
  }

  @Test(arguments: [
    ("host=h", "f:1: [a] needs type: add a line type=..."),
    ("type=ping", "f:1: [a] needs host: add a line host=..."),
    ("type=pnig\nhost=h", "f:2: type=\"pnig\" is no probe (did you mean ping?)"),
    ("type=monitor\nhost=h", "f:2: type=\"monitor\" is no probe: write ping, trace, scan, connect"),
    ("type=ping\nhost=h:80", "f:3: host=\"h:80\" names a port: write the host alone"),
    (
      "type=ping\nhost=a b",
      "f:3: host=\"a b\" is not a host name: it may have letters, digits, dots and hyphens"
    ),
    (
      "type=trace\nhost=h\nreference=yes",
      "f:4: reference=yes needs an answer that a trace does not give: remove it, or write type=ping"
    ),
    ("type=ping\nhost=h\nhop=3", "f:4: unknown key \"hop\" in [a] (did you mean hops?)"),
    ("type=ping\nhost=h\nhops=3", "f:4: hops belongs to type=trace, not to type=ping: remove it"),
    ("type=scan\nhost=h\nport=3", "f:4: port belongs to type=connect, not to type=scan: remove it"),
    ("type=connect\nhost=h", "f:1: [a] needs port, the TCP port to connect to: add a line port=..."),
    ("type=connect\nhost=h\nport=0", "f:4: port=\"0\" must be a whole number from 1 to 65535"),
    ("type=ping\nhost=h\ncount=0", "f:4: count=\"0\" must be a whole number from 1 to 65535"),
    (
      "type=ping\nhost=h\nnumpings=3\ncount=4",
      "f:5: count is another name of numpings, which line 4 has: remove one of them"
    ),
    ("type=ping\nhost=h\npayload=70000", "f:4: payload=\"70000\" must be a whole number from 0 to 65507"),
    ("type=trace\nhost=h\nhops=256", "f:4: hops=\"256\" must be a whole number from 1 to 255"),
    ("type=trace\nhost=h\nhop_timeout=0", "f:4: hop_timeout=\"0\" must be from 0.01 to 600 seconds"),
    ("type=trace\nhost=h\nhop_timeout=601", "f:4: hop_timeout=\"601\" must be from 0.01 to 600 seconds"),
    (
      "type=ping\nhost=h\nhop_timeout=1",
      "f:4: hop_timeout belongs to type=trace, not to type=ping: remove it"
    ),
    ("type=ping\nhost=h\ninterval=0", "f:4: interval=\"0\" must be from 0.1 to 86400 seconds"),
    ("type=ping\nhost=h\ninterval=-1", "f:4: interval=\"-1\" must be from 0.1 to 86400 seconds"),
  ])
  func `an error names file and line and says what to do`(keys: String, expected: String) {
    let error = #expect(throws: INIError.self) { try plan(keys) }
    #expect(error?.description == expected)
  }

  @Test(arguments: [
    ("", false), ("\nreference=no", false), ("\nreference=yes", true), ("\nReference=1", true),
  ])
  func `a host may stand for the network`(line: String, isReference: Bool) throws {
    #expect(try plan("type=connect\nhost=h\nport=80" + line).isReference == isReference)
    #expect(try !plan("type=trace\nhost=h\nreference=no").isReference)
  }

  @Test func `all keys are those of some type`() {
    #expect(
      ProbePlan.keys == [
        "type", "host", "interval", "reference", "count", "numpings", "payload", "hops", "hop_timeout",
        "port",
      ])
  }
}
