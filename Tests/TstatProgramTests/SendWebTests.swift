import Foundation
import Glibc
import Lab
import Testing

/// tstat_send and a web server, which also holds runs where a test wants them.
@Suite struct SendWebTests {
  private func site(_ server: TestServer, path: String = "/") throws -> SendSite {
    try SendSite(SendSite.http(port: server.port, path: path))
  }

  private static let http = ["-t", "http"]

  /// The digests of bodies by key, each of which has one.
  private func digests(_ requests: [TestServer.Request]) -> [String: Set<String>] {
    Dictionary(grouping: requests) { $0.headers["Idempotency-Key"] ?? "" }.mapValues {
      Set($0.map { SendSite.digest(Data($0.body.utf8)) })
    }
  }

  @Test func `all messages are posted, each with its key`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server, path: "/here")
    try site.makeThree()
    let all = try await site.messages(Self.http)
    let answer = try await site.run(Self.http)
    #expect(
      answer.status == .exited(0) && answer.output.isEmpty && answer.complaints.isEmpty, "\(answer.errors)")
    let requests = try await server.requests(count: all.count)
    #expect(requests.count == all.count)
    #expect(digests(requests) == Dictionary(uniqueKeysWithValues: all.map { ($0.id, [$0.digest]) }))
    #expect(requests.allSatisfy { $0.method == "POST" && $0.path == "/here" })
    #expect(requests.allSatisfy { $0.headers["Content-Type"] == "application/json" })
    #expect(site.marked.count == 3)
    #expect(try await site.run(Self.http).status == .exited(0))
    #expect(try server.requests().count == all.count)
  }

  @Test func `a server that is out of order for a moment gets them again`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server, path: "/first/503,503,0,429:0")
    try site.makeThree()
    let all = try await site.messages(Self.http)
    let answer = try await site.run(Self.http + ["--window", "1"])
    #expect(answer.status == .exited(0), "\(answer.errors)")
    let requests = try server.requests()
    #expect(requests.map(\.answer) == [503, 503, 0, 429] + all.map { _ in 200 })
    #expect(requests.dropFirst(4).map { $0.headers["Idempotency-Key"] } == all.map(\.id))
    #expect(Set(requests.prefix(5).map { $0.headers["Idempotency-Key"] }) == [all[0].id])
    #expect(site.marked.count == 3)
  }

  @Test(
    "what a server refuses is not marked",
    arguments: [(401, 78), (403, 78), (404, 78), (301, 78), (400, 65), (422, 65)])
  func refused(answered: Int, status: Int32) async throws {
    let server = try await TestServer("web_server")
    let site = try SendSite(
      SendSite.http(
        port: server.port, path: "/status/\(answered)", more: "username=me\npassword=a-s3cret-word\n"))
    try site.makeThree()
    let answer = try await site.run(Self.http + ["-v"])
    #expect(answer.status == .exited(status) && answer.errors.contains("\(answered)"), "\(answer.errors)")
    #expect(!answer.errors.contains("s3cret") && site.marked.isEmpty)
    #expect(!site.exists("2024_01_01_00_00.out/.tstat_send"))
  }

  @Test func `a message that is refused stops no other one, and is tried again alone`() async throws {
    let server = try await TestServer("web_server")
    // What a row of the first directory alone moved, in bits.
    let site = try site(server, path: "/refuse/8001416/413")
    try site.make("1.out", tcp: 500)
    try site.make("2.out", tcp: 100)
    let all = try await site.messages(Self.http)
    let refused = try #require(
      SendSite.bodies(Data(try await site.run(["-N"] + Self.http).output.utf8)).firstIndex {
        String(decoding: $0, as: UTF8.self).contains("8001416")
      })
    for round in 1...2 {
      let answer = try await site.run(Self.http)
      #expect(answer.status == .exited(65), "\(answer.errors)")
      #expect(answer.errors.contains("message \(refused + 1) of \(site.path("1.out")) is left out"))
      #expect(site.marked == ["2.out"])
      let requests = try server.requests()
      #expect(requests.count == all.count + round - 1)
      #expect(Set(requests.map { $0.headers["Idempotency-Key"] }) == Set(all.map(\.id)))
      #expect(requests.suffix(round - 1).allSatisfy { $0.headers["Idempotency-Key"] == all[refused].id })
    }
    try site.configure(SendSite.http(port: server.port))
    #expect(try await site.run(Self.http).status == .exited(0))
    #expect(site.marked == ["1.out", "2.out"] && !site.exists("1.out/.tstat_send"))
    #expect(try server.requests().count == all.count + 2)
  }

  @Test func `a message that fails with every try stops no other one, and is the next run's`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server, path: "/refuse/8001416/500")
    try site.make("1.out", tcp: 500)
    try site.make("2.out", tcp: 100)
    let all = try await site.messages(Self.http)
    let answer = try await site.run(Self.http + ["--timeout", "1", "--window", "4"])
    #expect(answer.status == .exited(75), "\(answer.errors)")
    #expect(answer.errors.contains("the server takes other messages and not this one"), "\(answer.errors)")
    #expect(Set(try server.requests().map { $0.headers["Idempotency-Key"] }) == Set(all.map(\.id)))
    #expect(site.marked == ["2.out"] && site.acknowledged("1.out") == 10)
    let before = try server.requests().count
    try site.configure(SendSite.http(port: server.port))
    #expect(try await site.run(Self.http).status == .exited(0))
    #expect(site.marked == ["1.out", "2.out"])
    #expect(try server.requests().count == before + 1)
  }

  @Test func `--single goes past a directory of which nothing new can be sent`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.make("1.out", tcp: 0, udp: 60)
    try site.folder.write("a b c\nd e f\n", to: "logs/1.out/log_tcp_complete")
    try site.make("2.out", tcp: 60)
    #expect(try await site.run(Self.http + ["--single"]).status == .exited(65))
    #expect(site.marked.isEmpty)
    #expect(try await site.run(Self.http + ["--single"]).status == .exited(65))
    #expect(site.marked == ["2.out"])
  }

  @Test func `what was sent of a directory that is not marked is not sent again`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.make("1.out", tcp: 0, udp: 120)
    try site.folder.write("a b c\nd e f\n", to: "logs/1.out/log_tcp_complete")
    try site.make("2.out", tcp: 220)
    let rows = site.path("2.out/log_tcp_complete")
    let script = "gzip \(rows) && truncate -s -20 \(rows).gz"
    #expect(try await ChildProcess(["sh", "-c", script]).ended() == .exited(0))
    for _ in 1...2 {
      let answer = try await site.run(Self.http)
      #expect(answer.status == .exited(65) && site.marked.isEmpty, "\(answer.errors)")
      #expect(answer.errors.contains("its end is missing"), "\(answer.errors)")
    }
    let keys = try server.requests().map { $0.headers["Idempotency-Key"] }
    #expect(keys.count > 3 && Set(keys).count == keys.count)
    for name in ["1.out", "2.out"] { #expect(site.acknowledged(name) > 0) }
  }

  @Test func `a server that is not there is one sentence`() async throws {
    let site = try SendSite(SendSite.http(port: 1))
    try site.makeThree()
    let answer = try await site.run(Self.http)
    #expect(answer.status == .exited(75) && answer.complaints.count == 1, "\(answer.errors)")
    #expect(answer.errors.contains("127.0.0.1:1") && site.marked.isEmpty)
  }

  @Test func `a run that is killed is continued`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.makeThree(messages: 10)
    let all = try await site.messages(Self.http)
    var random = SplitMix64(seed: 0x6874_7470)
    var kills = 0
    while true {
      let run = try site.start(Self.http + ["--window", "2"])
      let name = try site.unmarked()
      let goal = (name.map(site.acknowledged) ?? 0) + Int.random(in: 1...4, using: &random)
      let _: Bool = try await eventually("\(goal) answers") {
        run.status != nil
          || name.map { site.exists("\($0)/.processed") || site.acknowledged($0) >= goal } ?? false
          ? true : nil
      }
      let status = try await run.stop(SIGKILL)
      if status == .exited(0) { break }
      #expect(status == .signalled(SIGKILL), "\(run.errors.text)")
      kills += 1
    }
    let requests = try server.requests()
    #expect(digests(requests) == Dictionary(uniqueKeysWithValues: all.map { ($0.id, [$0.digest]) }))
    #expect(requests.count <= all.count + 2 * kills, "\(kills) kills")
    #expect(site.marked.count == 3 && !site.exists("2024_01_01_00_00.out/.tstat_send"))
  }

  // MARK: Runs that are held

  /// Starts a run that waits in its first directory for the server, which was stopped.
  private func hold(_ server: TestServer, _ site: SendSite, _ flags: [String] = []) async throws
    -> ChildProcess
  {
    server.pause()
    let run = try site.start(Self.http + ["--window", "1", "-v"] + flags)
    try await run.errors.first("the first message") { $0.contains(": message 1 of ") ? () : nil }
    return run
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal lets the directory be finished`(signal: Int32) async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.makeThree()
    let all = try await site.messages(Self.http)
    let run = try await hold(server, site)
    run.signal(signal)
    try await run.errors.first("what the signal does") { $0.contains("interrupted") ? () : nil }
    server.resume()
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(0), "\(answer.errors)")
    #expect(site.marked == ["2024_01_01_00_00.out"])
    #expect(try server.requests().map { $0.headers["Idempotency-Key"] } == all.prefix(4).map(\.id))
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a second signal ends it at once`(signal: Int32) async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.makeThree()
    let run = try await hold(server, site)
    run.signal(signal)
    try await run.errors.first("what the signal does") { $0.contains("interrupted") ? () : nil }
    run.signal(signal)
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(75) && answer.errors.contains("ended at once"), "\(answer.errors)")
    #expect(site.marked.isEmpty)
    server.resume()
    #expect(try await site.run(Self.http).status == .exited(0))
    #expect(site.marked.count == 3)
  }

  @Test func `the password is in no file of the kernel's`() async throws {
    let server = try await TestServer("web_server")
    let more = "username=me\npassword=${HTTP_PASSWORD:a-s3cret-word}\n"
    let site = try SendSite(SendSite.http(port: server.port, more: more))
    try site.makeThree()
    let run = try await hold(server, site)
    for file in ["cmdline", "environ", "comm", "status"] {
      let seen = try String(contentsOfFile: "/proc/\(run.pid)/\(file)", encoding: .utf8)
      #expect(!seen.isEmpty && !seen.contains("s3cret"), "\(file)")
    }
    server.resume()
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(0) && !answer.errors.contains("s3cret"), "\(answer.errors)")
    // The user's name and the password, as HTTP has them.
    let basic = "Basic \(Data("me:a-s3cret-word".utf8).base64EncodedString())"
    #expect(try server.requests().allSatisfy { $0.headers["Authorization"] == basic })
  }

  @Test func `two signals end a run that waits for a broker`() async throws {
    let server = try await TestServer("web_server")
    // What takes connections and says nothing, for which a run waits ten seconds.
    let site = try SendSite(SendSite.rabbit(port: server.port, queue: "q"))
    try site.makeThree()
    server.pause()
    defer { server.resume() }
    for _ in 1...5 {
      let run = try site.start(["-v"])
      try await run.errors.first("the first message") { $0.contains(": message 1 of ") ? () : nil }
      for _ in 1...2 {
        run.signal(SIGTERM)
        let _: Bool = try await eventually("what the signal does", state: { run.errors.text }) {
          run.status != nil || run.errors.text.contains("interrupted") ? true : nil
        }
      }
      let answer = try await SendSite.answer(run)
      #expect(answer.status == .exited(75) && site.marked.isEmpty)
      // A test that comes too late tries again.
      if answer.errors.contains("ended at once") { return }
    }
    try Requirement.skip(for: "time")
  }

  @Test func `a second run says that there is one, and does not disturb it`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.makeThree()
    let all = try await site.messages(Self.http)
    let run = try await hold(server, site)
    let second = try await site.run(Self.http)
    #expect(second.status == .exited(75) && second.complaints.count == 1, "\(second.errors)")
    #expect(second.errors.contains("another tstat_send works in \(site.root)"))
    // Who only looks is in nobody's way.
    #expect(try await site.run(["-N"] + Self.http).status == .exited(0))
    #expect(try await site.run(["-N", "--mark"] + Self.http).status == .exited(75))
    server.resume()
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(0), "\(answer.errors)")
    #expect(try server.requests().map { $0.headers["Idempotency-Key"] } == all.map(\.id))
    #expect(site.marked.count == 3)
  }

  @Test func `directories that go during a run are no failure`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    let paths = try site.makeThree()
    let all = try await site.messages(Self.http)
    let run = try await hold(server, site)
    for path in paths.prefix(2) { try FileManager.default.removeItem(atPath: path) }
    server.resume()
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(0), "\(answer.errors)")
    #expect(answer.errors.contains("event=process_output.gone"), "\(answer.errors)")
    #expect(site.marked == ["2024_01_01_02_00.out"])
    let sent = try server.requests().map { $0.headers["Idempotency-Key"] }
    #expect(sent.suffix(3) == all.suffix(3).map(\.id))
    #expect(!FileManager.default.fileExists(atPath: paths[0]))
  }

  @Test func `a log that goes while the other is sent leaves the directory for the next run`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.make("1.out", tcp: 150, udp: 60)
    try site.make("2.out", tcp: 1)
    let run = try await hold(server, site)
    try FileManager.default.removeItem(atPath: site.path("1.out/log_udp_complete"))
    server.resume()
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(65), "\(answer.errors)")
    #expect(answer.errors.contains("1.out/log_udp_complete is gone"), "\(answer.errors)")
    #expect(site.marked == ["2.out"])
    #expect(try server.requests().count == 4)
    let again = try await site.run(Self.http)
    #expect(again.status == .exited(0) && site.marked == ["1.out", "2.out"], "\(again.errors)")
  }

  @Test func `a directory that another one replaces is left for the next run`() async throws {
    let server = try await TestServer("web_server")
    let site = try site(server)
    try site.makeThree()
    let run = try await hold(server, site)
    let name = "2024_01_01_01_00.out"
    try FileManager.default.moveItem(atPath: site.path(name), toPath: "\(site.folder.path)/moved")
    try site.make(name, tcp: 1)
    server.resume()
    let answer = try await SendSite.answer(run)
    #expect(
      answer.status == .exited(0) && answer.errors.contains("\(name) is another directory"),
      "\(answer.errors)")
    #expect(site.marked == ["2024_01_01_00_00.out", "2024_01_01_02_00.out"])
  }
}
