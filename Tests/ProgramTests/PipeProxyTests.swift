import Lab
import Testing

/// P24: who the client is, sent and received.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeProxyTests {
  private static let signature = #"\r\n\r\n\0\r\nQUIT\n"#

  @Test(arguments: [
    ("v1", "127.0.0.1:8080", #"PROXY TCP4 127.0.0.1 127.0.0.1 %SPORT% 8080\r\n"#),
    ("v1", "[::1]:8080", #"PROXY TCP6 ::1 ::1 %SPORT% 8080\r\n"#),
    ("v2", "127.0.0.1:8080", signature + #"\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01@PORT@\x1f\x90"#),
    (
      "v2", "[::1]:8080",
      signature + #"\x21\x21\0\x24"# + String(repeating: #"\0"#, count: 15) + #"\x01"#
        + String(repeating: #"\0"#, count: 15) + #"\x01@PORT@\x1f\x90"#
    ),
  ])
  func `the header goes to the target first, and that is not counted`(
    version: String, place: String, header: String
  )
    async throws
  {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--send-proxy", version], in: lab.a)
    try await PipePeer.run("header", pipe: place, [header], in: lab.a)
    try await pipe.report("the client's bytes alone") { $0.pipe?.usage == HostView(received: 5, sent: 4) }
    try await pipe.stop()
  }

  @Test(
    arguments: [
      (#"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\nhello"#, "hello", "192.0.2.1"),
      (#"PROXY UNKNOWN\r\nhello"#, "hello", nil),
      (signature + #"\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x02\x10\0\x20\0hello"#, "hello", "192.0.2.7"),
      (signature + #"\x20\0\0\0hello"#, "hello", nil),
      (
        signature + #"\x21\x11\0\x10\xc0\0\x02\x08\xc0\0\x02\x02\x10\0\x20\0\x04\0\x01xhello"#, "hello",
        "192.0.2.8"
      ),
    ] as [(String, String, String?)], [1, 1000])
  func `a header is received and taken away, whole or in pieces`(
    what: (text: String, expected: String, client: String?), size: Int
  ) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--accept-proxy", "--clients"], in: lab.a)
    try await PipePeer.run("speak", [what.text, "\(size)", what.expected], in: lab.a)
    let report = try await pipe.report("its bytes") { $0.pipe?.usage == HostView(received: 5, sent: 0) }
    if let client = what.client { #expect(report.row(named: client)?.received == 5) }
    try await pipe.stop()
  }

  @Test(arguments: [
    #"GET / HTTP/1.1\r\n\r\n"#, #"PROXY TCP4 1.2.3.4\r\n"#, signature + #"\x31\x11\0\x0c"#,
    signature + #"\x21\x11\0\x04abcd"#,
    #"PROXY TCP4 "# + String(repeating: "1", count: 200), #"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n"#,
  ])
  func `a malformed header never reaches the target`(text: String) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--accept-proxy"], in: lab.a)
    try await PipePeer.run("speak", [text, "1000", "none"], in: lab.a)
    _ = try await pipe.process.errors.first("a line") { $0.contains("sent no good PROXY header") ? $0 : nil }
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 1 }
    try await pipe.stop()
  }

  @Test func `a header that does not come ends in time, and others do not wait for it`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(
      ["--accept-proxy", "--connect-timeout", "1", "--threads", "1"], in: lab.a)
    let slow = try PipePeer("refused", target: "-", ["20"], in: lab.a)
    try await pipe.report("the slow one") { $0.pipe?.connections == 1 }
    try await PipePeer.run("speak", [#"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhi"#, "1000", "hi"], in: lab.a)
    try await slow.finished()
    _ = try await pipe.process.errors.first("a line") { $0.contains("did not come within 1.0 s") ? $0 : nil }
    try await pipe.stop()
  }
}
