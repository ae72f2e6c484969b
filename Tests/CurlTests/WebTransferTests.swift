import Curl
import Glibc
import Lab
import Synchronization
import Testing

/// Requests to a real web server over the loopback.
@Suite struct WebTransferTests {
  private let limits = TransferLimits(connect: patience, whole: patience)

  private func ask(
    _ transfers: TransferThread, _ server: TestServer, _ path: String, _ method: HTTPRequest.Method = .get,
    scheme: String = "http", host: String = "localhost", with change: (inout HTTPRequest) -> Void = { _ in }
  ) async throws -> TransferOutcome {
    var request = HTTPRequest(method, "\(scheme)://\(host):\(server.port)\(path)", limits: limits)
    change(&request)
    return try await transfers.run(.http(request))
  }

  private func response(_ outcome: TransferOutcome) throws -> HTTPResponse {
    guard case .http(let response) = outcome else { throw LabError.missing("an answer: \(outcome)") }
    return response
  }

  @Test func `a request and its answer are whole`() async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server"))
    let outcome = try await ask(transfers, server, "/a?b=c", .post(Array("{\"x\":1}".utf8))) {
      $0.headers = ["Content-Type: application/json", "X-Own: é"]
    }
    let answer = try response(outcome)
    #expect(answer.status == 200 && answer.head.first == "HTTP/1.1 200 OK" && !answer.isBodyCut)
    #expect(answer.connected != nil && answer.secured == nil && answer.certificate == .notChecked)
    let request = String(decoding: answer.body, as: UTF8.self)
    for part in [
      #""method": "POST""#, #""path": "/a?b=c""#, #""Content-Type": "application/json""#, #"{\"x\":1}"#,
    ] { #expect(request.contains(part), "\(request)") }
    #expect(!request.contains("Expect"))
  }

  @Test(arguments: [200, 204, 301, 302, 404, 500, 503])
  func `any status is an answer, and none leads elsewhere`(status: Int) async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server"))
    let answer = try response(try await ask(transfers, server, "/status/\(status)", .head))
    #expect(answer.status == status && answer.body.isEmpty)
    #expect(server.reports("request").count == 1)
  }

  @Test func `an endless body is cut and an endless head is an error`() async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server"))
    let answer = try response(try await ask(transfers, server, "/endless") { $0.mostBody = 1000 })
    #expect(answer.status == 200 && answer.body.count == 1000 && answer.isBodyCut)
    guard case .failed(let failure) = try await ask(transfers, server, "/head") else {
      Issue.record("the head ended")
      return
    }
    #expect(failure.kind == .malformed)
  }

  @Test func `one address is asked, whatever the name`() async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server"))
    let outcome = try await ask(transfers, server, "/", host: "name.invalid") { $0.address = "127.0.0.1" }
    let answer = try response(outcome)
    #expect(String(decoding: answer.body, as: UTF8.self).contains("\"Host\": \"name.invalid:"))
    guard
      case .failed(let failure) = try await ask(transfers, server, "/", with: { $0.address = "127.0.0.2" })
    else {
      Issue.record("another address was asked")
      return
    }
    #expect(failure.kind == .notConnected && failure.errno == ECONNREFUSED)
  }

  @Test func `certificates are required, reported or not looked at`() async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server", ["tls"]))
    func ask(
      _ verification: HTTPRequest.Verification, known: Bool = true, host: String = "localhost"
    ) async throws -> TransferOutcome {
      try await self.ask(transfers, server, "/", scheme: "https", host: host) {
        $0.verification = verification
        $0.address = "127.0.0.1"
        if known { $0.authorities = server.certificate }
      }
    }
    let good = try response(try await ask(.required))
    #expect(good.certificate == .valid && good.secured != nil)
    #expect(try response(try await ask(.reported)).certificate == .valid)
    #expect(try response(try await ask(.none, known: false)).certificate == .notChecked)
    for (known, host) in [(false, "localhost"), (true, "other.invalid")] {
      guard case .failed(let failure) = try await ask(.required, known: known, host: host) else {
        Issue.record("a wrong certificate was taken")
        return
      }
      #expect(failure.kind == .certificate)
      let answer = try response(try await ask(.reported, known: known, host: host))
      #expect(answer.status == 200 && answer.certificate == .invalid(failure.reason))
    }
  }

  @Test func `a transfer that waits or runs can be cancelled, and others go on`() async throws {
    let server = try await TestServer("web_server")
    let transfers = try TransferThread(places: 1, capacity: 2)
    let outcomes = Mutex<[Int: TransferOutcome]>([:])
    func submit(_ number: Int, _ path: String) throws -> TransferID {
      let request = HTTPRequest(.get, "http://localhost:\(server.port)\(path)", limits: limits)
      return try transfers.submit(.http(request)) { outcome in outcomes.withLock { $0[number] = outcome } }
    }
    let running = try submit(1, "/silent")
    _ = try await server.reports("request", count: 1)
    let waiting = try submit(2, "/silent")
    _ = try submit(3, "/")
    #expect(throws: CurlError.full(waiting: 2)) { try submit(4, "/") }
    transfers.cancel(waiting)
    _ = try await eventually("the end of what waits") { outcomes.withLock { $0[2] } }
    #expect(outcomes.withLock { $0.count } == 1)
    transfers.cancel(running)
    transfers.cancel(running)
    let last = try await eventually("the answer") { outcomes.withLock { $0[3] } }
    #expect(outcomes.withLock { [$0[1], $0[2]] } == [.cancelled, .cancelled])
    #expect(try response(last).status == 200)
    #expect(server.reports("request").count == 2)
  }

  @Test func `a cancelled task cancels its transfer`() async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server"))
    let request = HTTPRequest(.get, "http://localhost:\(server.port)/silent", limits: limits)
    let outcomes = try await withThrowingTaskGroup(of: TransferOutcome.self) { group in
      group.addTask { try await transfers.run(.http(request)) }
      _ = try await server.reports("request", count: 1)
      group.cancelAll()
      // One that begins too late.
      group.addTask { try await transfers.run(.http(request)) }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes == [.cancelled, .cancelled])
  }

  @Test func `the end of the thread is the end of its transfers`() async throws {
    let server = try await TestServer("web_server")
    var transfers: TransferThread? = try TransferThread()
    let outcome = Mutex<TransferOutcome?>(nil)
    let request = HTTPRequest(.get, "http://localhost:\(server.port)/silent", limits: limits)
    try transfers?.submit(.http(request)) { ended in outcome.withLock { $0 = ended } }
    _ = try await server.reports("request", count: 1)
    let stopped = try TransferThread()
    stopped.stop()
    #expect(throws: CurlError.stopped) { try stopped.submit(.http(request)) { _ in } }
    transfers = nil
    #expect(try await eventually("the end") { outcome.withLock { $0 } } == .cancelled)
  }

  @Test func `hundreds of silent servers hold no other up`() async throws {
    let (transfers, server) = (try TransferThread(places: 300), try await TestServer("web_server"))
    let ended = Mutex(0)
    let silent = HTTPRequest(.get, "http://localhost:\(server.port)/silent", limits: limits)
    for _ in 0..<200 { try transfers.submit(.http(silent)) { _ in ended.withLock { $0 += 1 } } }
    #expect(try response(try await ask(transfers, server, "/")).status == 200)
    #expect(ended.withLock { $0 } == 0)
    transfers.stop()
    _ = try await eventually("the end of all") { ended.withLock { $0 } == 200 ? true : nil }
  }

  @Test(arguments: [
    "ftp://localhost/", "file:///etc/passwd", "localhost", "http://a b/", "http://a/\r\nX: y",
    "http://a/\u{0}",
  ])
  func `what is no URL of the web is refused`(url: String) throws {
    let transfers = try TransferThread()
    #expect(throws: CurlError.self) {
      try transfers.submit(.http(HTTPRequest(.get, url, limits: limits))) { _ in }
    }
    var request = HTTPRequest(.get, "http://localhost/", limits: limits)
    request.headers = ["X: a\r\nY: b"]
    #expect(throws: CurlError.self) { try transfers.submit(.http(request)) { _ in } }
  }

  @Test func `nothing answers within the limit`() async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server"))
    let outcome = try await ask(transfers, server, "/silent") {
      $0.limits = TransferLimits(connect: .milliseconds(500), whole: .milliseconds(500))
    }
    guard case .failed(let failure) = outcome else {
      Issue.record("it answered")
      return
    }
    #expect(failure.kind == .timedOut)
  }

  @Test func `a server that accepts and says nothing was there`() async throws {
    let transfers = try TransferThread()
    let server = try await TestServer("mail_server", ["silent-greeting"])
    let outcome = try await ask(transfers, server, "/", scheme: "https") {
      $0.limits = TransferLimits(connect: .milliseconds(500), whole: .milliseconds(500))
    }
    #expect(Self.kind(of: outcome) == .timedOut)
  }

  @Test func `a server that does not answer a second request of a connection was there`() async throws {
    let (transfers, server) = (try TransferThread(), try await TestServer("web_server", ["keep"]))
    let first = try await ask(transfers, server, "/status/204") { $0.keepsConnection = true }
    #expect(try response(first).status == 204)
    let second = try await ask(transfers, server, "/silent") {
      $0.keepsConnection = true
      $0.limits = TransferLimits(connect: .milliseconds(500), whole: .milliseconds(500))
    }
    #expect(Self.kind(of: second) == .timedOut)
    #expect(try server.requests().map(\.connection) == [1, 1])
  }

  private static func kind(of outcome: TransferOutcome) -> TransferFailure.Kind? {
    guard case .failed(let failure) = outcome else { return nil }
    return failure.kind
  }
}
