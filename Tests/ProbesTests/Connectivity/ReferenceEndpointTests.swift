import Testing

@testable import Probes

@Suite struct ReferenceEndpointTests {
  @Test(
    arguments: [
      ("8.8.8.8:53", "8.8.8.8", 53, "8.8.8.8:53"),
      ("[2001:db8::1]:53", "2001:db8::1", 53, "[2001:db8::1]:53"),
      ("example.org:443", "example.org", 443, "example.org:443"),
      ("[fe80::1%eth0]:53", "fe80::1%eth0", 53, "[fe80::1%eth0]:53"),
      ("[8.8.8.8]:1", "8.8.8.8", 1, "8.8.8.8:1"),
    ] as [(String, String, UInt16, String)])
  func `a host and a port are read`(text: String, host: String, port: UInt16, shown: String) throws {
    let reference = try ReferenceEndpoint(text)
    #expect(reference.host == host && reference.port == port)
    #expect(reference.description == shown)
  }

  @Test(arguments: [
    ("8.8.8.8", "has no port"), ("8.8.8.8:", "has no port"), ("8.8.8.8:65536", "has port 65536"),
    ("8.8.8.8:0", "port 0"), (":53", "is empty"), ("2001:db8::1:53", "write [2001:db8::1]:53"),
    ("[fe80::1]:53", "%eth0"), ("a b:53", "letters, digits, dots and hyphens"), ("a..b:53", "a dot too many"),
    ("http://a:80", "begins"), ("[a:b]:80", "is not an IPv6 address"),
    ("", "has no port"),
  ])
  func `what is none is refused, with a reason`(text: String, reason: String) {
    let problem = #expect(throws: ReferenceEndpoint.Problem.self) { try ReferenceEndpoint(text) }
    #expect(problem?.reason.contains(reason) == true, "\(problem?.reason ?? "")")
  }

  @Test func `a host alone may have brackets, and no port`() throws {
    #expect(try ReferenceEndpoint(host: "[::1]", port: 53).host == "::1")
    #expect(throws: ReferenceEndpoint.Problem.self) { try ReferenceEndpoint(host: "8.8.8.8:53", port: 53) }
    #expect(throws: ReferenceEndpoint.Problem.self) {
      try ReferenceEndpoint(host: String(repeating: "a", count: 254), port: 53)
    }
  }
}
