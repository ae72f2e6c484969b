import Foundation
import Lab
import Testing

/// connvitals' looks at services, on a loopback of their own.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10)))
struct ConnVitalsScanTests {
  private static let time = #"\d+\.\d{3}"#

  private static func scan(_ words: [String], _ line: String = "-sP --timeout 30 127.0.0.1") async throws
    -> ChildProcess
  {
    let host = try await NetworkNamespace()
    let services = try await Services(words, in: host)
    let child = try await host.connvitals(line)
    _ = services
    #expect(child.status == .exited(0), "\(child.errors.text)")
    return child
  }

  @Test(arguments: [
    ([String](), "None\tNone\tNone"), (["mysql"], #"None\tNone\tT, 5\.7\.2"#),
    (["http"], #"T, 200, we"ird\\ \\e\[31m\tNone\tNone"#), (["bare"], #"T, 200, Unknown\tNone\tNone"#),
    (["tls1.0"], #"None\tT, 200, tls10\tNone"#), (["tls1.1"], #"None\tT, 200, tls11\tNone"#),
    (["tls1.2"], #"None\tT, 200, tls12\tNone"#), (["garbage", "mysql"], #"None\tNone\tT, 5\.7\.2"#),
    (["https"], #"None\tT, 200, tls13\tNone"#), (["refusal"], "None\tNone\tNone"),
    (["http", "https", "mysql"], #"T, 200, we.*\tT, 200, tls13\tT, 5\.7\.2"#),
  ])
  func `what answers is in the line`(words: [String], pattern: String) async throws {
    let lines = try await Self.scan(words).output.lines
    let regex = try Regex(pattern.replacing("T,", with: "\(Self.time),"))
    #expect(lines.count == 2 && lines.first == "127.0.0.1")
    #expect(lines.last?.wholeMatch(of: regex) != nil, "\(lines)")
  }

  /// Garbage where TLS is spoken, silence, a database that refuses: one line each, in the formats that have no reason.
  @Test(arguments: ["", "-j ", "--format json ", "--format table "])
  func `what does not answer as it should is said once`(format: String) async throws {
    let child = try await Self.scan(
      ["silent80", "garbage", "refusal"], "-sP --timeout 2 \(format)127.0.0.1")
    let said = child.errors.lines.map { $0.prefix { $0 != "\t" } }
    #expect(said.count == (format.hasPrefix("--") ? 0 : 3), "\(said)")
    for (line, port) in zip(said, [80, 443, 3306]) {
      #expect(line.hasPrefix("WW: Could not connect to 127.0.0.1:\(port) - ") && line.count > 45, "\(line)")
    }
  }

  @Test(arguments: ["127.0.0.1", "::1"])
  func `a certificate that nobody knows is reported, and the server all the same`(address: String)
    async throws
  {
    let child = try await Self.scan(
      ["http", "https", "mysql"], "-sP --timeout 30 --format json \(address)")
    let event = try ProbeEvent(line: try #require(child.output.lines.first))
    #expect(event.https?.status == 200 && event.https?.server == "tls13" && event.https?.error == nil)
    #expect(event.https?.certificate?.isEmpty == false, "\(event)")
    #expect(event.http?.certificate == nil && event.http?.server == "we\"ird\\ \u{1b}[31m", "\(event)")
    #expect(event.mysql?.version == "5.7.2-log" && event.mysql?.rtt ?? 0 > 0)
  }

  @Test func `strangers' quotes leave JSON valid`() async throws {
    let child = try await Self.scan(["http"], "-sPj --timeout 30 127.0.0.1")
    let line = try #require(child.output.lines.first)
    let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    let scan = try #require(object?["scan"] as? [String: Any])
    #expect((scan["http"] as? [String: Any])?["response code"] as? String == "200")
    #expect(scan["https"] as? String == "None" && scan["mysql"] as? String == "None")
  }

  @Test func `a service that was not connected to does not count as one that says nothing`() async throws {
    let site = try await ProbeSite("[target 10.9.0.5]\nsilent = yes")
    let child = try await site.host.connvitals("-sP --timeout 1 --format json 10.9.0.5")
    let event = try ProbeEvent(line: try #require(child.output.lines.first))
    let errors = [event.http?.error, event.https?.error, event.mysql?.error]
    #expect(errors.allSatisfy { $0 == "no connection in time" }, "\(child.output.lines)")
  }

  @Test func `services that say nothing cost their time, not the others`() async throws {
    let child = try await Self.scan(
      ["silent80", "silent443", "mysql"], "-sP --timeout 3 --format json 127.0.0.1")
    let event = try ProbeEvent(line: try #require(child.output.lines.first))
    #expect(event.http?.status == nil && event.https?.status == nil)
    #expect(event.http?.error == "no answer in time" && event.https?.error == "no answer in time")
    #expect(event.mysql?.version == "5.7.2-log")
    let silent = try await Self.scan(["silent3306"], "-sP --timeout 1 127.0.0.1")
    #expect(silent.output.lines == ["127.0.0.1", "None\tNone\tNone"])
  }
}
