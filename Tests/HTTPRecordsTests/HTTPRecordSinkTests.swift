import Curl
import SystemRuntime
import Lab
import Model
import Synchronization
import Testing

@testable import HTTPRecords

/// Records posted to a real web server over the loopback.
@Suite(.timeLimit(.minutes(5))) struct HTTPRecordSinkTests {
  /// A sink and what it has reported.
  private final class Setting: Sendable {
    let sink: HTTPRecordSink

    init(
      _ server: TestServer, _ path: String = "/in", more: String = "use_ssl=no", ssl: String? = nil,
      host: String = "localhost", port: UInt16? = nil,
      with change: (inout HTTPRecordSink.Options) -> Void = { _ in }
    ) throws {
      let text = "host=\(host)\nport=\(port ?? server.port)\npath=\(path)\n\(more)"
      var options = HTTPRecordSink.Options()
      change(&options)
      let log = Log()
      let configuration = try HTTPRecordsConfigurationTests.read(text, ssl: ssl)
      sink = try HTTPRecordSink(configuration, options: options) { log.add($0) }
      self.source = log
    }

    private let source: Log

    var outcomes: [RecordOutcome] { source.all }
    var delivered: [UInt64] {
      outcomes.compactMap { if case .delivered(let number) = $0 { number } else { nil } }
    }
    var notices: [String] { outcomes.compactMap { if case .notice(let text) = $0 { text } else { nil } } }
    var failure: RecordFailure? {
      outcomes.lazy.compactMap { if case .failed(let failure) = $0 { failure } else { nil } }.first
    }

    func submit(_ numbers: ClosedRange<UInt64>) {
      for number in numbers {
        sink.submit(
          Record(
            id: "id-\(number)", body: Array("{\"n\":\(number)}".utf8), time: 0,
            headers: [.init("x-rows", .number(Int64(number)))], routingKey: "a.b"),
          number: number)
      }
    }

    func delivered(_ count: Int) async throws -> [UInt64] {
      try await eventually("\(count) delivered", state: { "\(self.outcomes)" }) {
        delivered.count >= count ? delivered : nil
      }
    }

    func failed() async throws -> RecordFailure {
      try await eventually("a failure", state: { "\(self.outcomes)" }) { failure }
    }
  }

  private final class Log: Sendable {
    private let outcomes = Mutex<[RecordOutcome]>([])
    func add(_ outcome: RecordOutcome) { outcomes.withLock { $0.append(outcome) } }
    var all: [RecordOutcome] { outcomes.withLock { $0 } }
  }

  @Test func `records arrive whole, in order by one connection`() async throws {
    let server = try await TestServer("web_server", ["keep"])
    let setting = try Setting(server, more: "use_ssl=no\nusername=u\npassword=p") { $0.connections = 1 }
    setting.submit(1...20)
    #expect(try await setting.delivered(20) == Array(1...20))
    let requests = try server.requests()
    #expect(requests.map(\.body) == (1...20).map { "{\"n\":\($0)}" })
    let head = try #require(requests.first?.headers)
    for (name, value) in [
      ("Content-Type", "application/json"), ("Idempotency-Key", "id-1"), ("X-Rows", "1"),
      ("X-Routing-Key", "a.b"),
      ("Authorization", "Basic dTpw"),
    ] { #expect(head[name] == value) }
    #expect(Set(requests.map(\.connection)).count == 1)
    #expect(setting.notices.isEmpty && setting.failure == nil)
  }

  @Test func `several are under way at once`() async throws {
    let server = try await TestServer("web_server", ["keep", "delay=0.3"])
    // By its address: a name has two, of which a slow machine tries both.
    let setting = try Setting(server, host: "127.0.0.1") { $0.connections = 8 }
    setting.submit(1...16)
    #expect(Set(try await setting.delivered(16)) == Set(1...16))
    // One connection for each request at most: on a slow machine one may be opened while another ends.
    #expect(Set(try server.requests().map(\.connection)).count > 1)
  }

  @Test(arguments: ["503", "500,502", "429:1", "0,0", "408", "425"])
  func `what may pass is tried again with the same key, and said once`(plan: String) async throws {
    let server = try await TestServer("web_server")
    let setting = try Setting(server, "/first/\(plan)") { $0.connections = 1 }
    let begin = Instant.now
    setting.submit(1...1)
    #expect(try await setting.delivered(1) == [1])
    setting.submit(2...2)
    #expect(try await setting.delivered(2) == [1, 2])
    let again = plan.split(separator: ",").count
    let keys = try server.requests().map { $0.headers["Idempotency-Key"] }
    #expect(keys == Array(repeating: "id-1", count: again + 1) + ["id-2"])
    #expect(setting.notices.count == 1 && setting.failure == nil)
    if plan.contains(":1") { #expect(.now - begin >= .seconds(1)) }
  }

  @Test(arguments: [
    ("401", RecordFailure.Kind.configuration), ("403", .configuration), ("404", .configuration),
    ("405", .configuration), ("302", .configuration),
  ])
  func `what will not pass ends it`(status: String, kind: RecordFailure.Kind) async throws {
    let server = try await TestServer("web_server")
    let setting = try Setting(server, "/status/\(status)")
    setting.submit(1...1)
    let failure = try await setting.failed()
    #expect(failure.kind == kind && failure.description.contains(status))
    setting.submit(2...2)
    // What another posts after that arrives, and this does not.
    let other = try Setting(server)
    other.submit(3...3)
    #expect(try await other.delivered(1) == [3])
    #expect(try server.requests().map { $0.headers["Idempotency-Key"] } == ["id-1", "id-3"])
    #expect(setting.outcomes.count == 1)
  }

  @Test(arguments: ["400", "413", "422"])
  func `what a server refuses is reported, and others are posted`(status: String) async throws {
    let server = try await TestServer("web_server")
    let setting = try Setting(server, "/first/\(status)") { $0.connections = 1 }
    setting.submit(1...3)
    #expect(try await setting.delivered(2) == [2, 3])
    guard case .refused(1, let failure) = setting.outcomes.first else {
      Issue.record("\(setting.outcomes)")
      return
    }
    #expect(failure.kind == .data && failure.description.contains(status) && setting.outcomes.count == 3)
  }

  @Test(arguments: [1, 2])
  func `a record that no server takes stops no others, and is given back`(connections: Int) async throws {
    // Each answer takes longer than the pauses of the record, which so fails again after each.
    let server = try await TestServer("web_server", ["delay=0.04"])
    let setting = try Setting(server, "/refuse/:3}/500", host: "127.0.0.1") {
      $0.connections = connections
      ($0.limits.first, $0.limits.longest, $0.limits.strikes) = (.milliseconds(5), .milliseconds(10), 3)
    }
    setting.submit(1...20)
    #expect(try await Set(setting.delivered(19)) == Set(1...20).subtracting([3]))
    let refusals = setting.outcomes.compactMap {
      if case .refused(3, let failure) = $0 { failure } else { nil }
    }
    #expect(refusals.map(\.kind) == [.later] && setting.failure == nil)
    let keys = try server.requests().map { $0.headers["Idempotency-Key"] }
    #expect(Set(keys).count == 20 && keys.count { $0 != "id-3" } == 19)
    #expect((4...8).contains(keys.count { $0 == "id-3" }))
  }

  @Test func `a server that is not there yet is waited for, or is the end at once`() async throws {
    let server = try await TestServer("web_server")
    try await server.stop()
    let impatient = try Setting(server) { $0.waitsForFirst = false }
    impatient.submit(1...1)
    #expect(try await impatient.failed().kind == .later)
    #expect(impatient.outcomes.count == 1)
    let setting = try Setting(server)
    setting.submit(1...3)
    _ = try await eventually("a notice") { setting.notices.first }
    let later = try await TestServer("web_server", ["port=\(server.port)"])
    #expect(Set(try await setting.delivered(3)) == [1, 2, 3])
    #expect(setting.notices.count == 1 && later.reports("request").count == 3)
  }

  @Test func `a server that stays away is given up after the time for that`() async throws {
    let server = try await TestServer("web_server")
    try await server.stop()
    let setting = try Setting(server) { $0.patience = .milliseconds(500) }
    setting.submit(1...2)
    let failure = try await setting.failed()
    #expect(failure.kind == .later && setting.notices.count == 1 && setting.delivered.isEmpty)
  }

  @Test func `a silent server keeps a record only for the time that is set`() async throws {
    let server = try await TestServer("web_server")
    let setting = try Setting(server, "/silent", more: "use_ssl=no\ntimeout=300ms") {
      $0.patience = .milliseconds(800)
    }
    setting.submit(1...1)
    #expect(try await setting.failed().kind == .later)
    #expect(server.reports("request").count >= 2 && setting.notices.count == 1)
  }

  @Test func `a certificate must be good unless none is wanted`() async throws {
    let server = try await TestServer("web_server", ["tls"])
    let good = try Setting(server, more: "token=t", ssl: "ca_certs=\(server.certificate)")
    good.submit(1...1)
    #expect(try await good.delivered(1) == [1])
    #expect(try server.requests().first?.headers["Authorization"] == "Bearer t")
    for (host, ssl) in [("localhost", nil), ("127.0.0.1", "ca_certs=\(server.certificate)")]
      as [(String, String?)]
    {
      let bad = try Setting(server, more: "", ssl: ssl, host: host)
      bad.submit(1...1)
      let failure = try await bad.failed()
      #expect(failure.kind == .configuration && failure.description.contains("certificate"))
    }
    let careless = try Setting(server, more: "", ssl: "cert_reqs=CERT_NONE")
    careless.submit(1...1)
    #expect(try await careless.delivered(1) == [1])
    let missing = try Setting(server, more: "", ssl: "ca_certs=/nonexistent/ca.pem")
    missing.submit(1...1)
    #expect(try await missing.failed().kind == .configuration)
  }

  @Test func `nothing is reported after its end`() async throws {
    let server = try await TestServer("web_server", ["delay=0.2"])
    let setting = try Setting(server, host: "127.0.0.1") { $0.connections = 2 }
    setting.submit(1...20)
    _ = try await setting.delivered(2)
    server.pause()
    setting.sink.stop()
    let count = setting.outcomes.count
    server.resume()
    // The server answers what came before, too.
    let other = try Setting(server, host: "127.0.0.1")
    other.submit(99...99)
    _ = try await other.delivered(1)
    #expect(setting.outcomes.count == count && server.reports("request").count <= count + 2 + 1)
    setting.sink.stop()
  }
}
