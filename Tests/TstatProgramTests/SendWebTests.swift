import Foundation
import Glibc
import Lab
import Testing

/// What tstat_send posts to a web server, and what becomes of messages that this does not take.
@Suite struct SendWebTests {
  /// The digests of bodies by key, each of which has one.
  private func digests(_ requests: [TestServer.Request]) -> [String: Set<String>] {
    Dictionary(grouping: requests) { $0.headers["Idempotency-Key"] ?? "" }.mapValues {
      Set($0.map { SendSite.digest(Data($0.body.utf8)) })
    }
  }

  @Test func `all messages are posted, each with its key`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site(path: "/here")
    try site.makeThree()
    let all = try await site.messages(SendSite.overHTTP)
    let answer = try await site.run(SendSite.overHTTP)
    #expect(
      answer.status == .exited(0) && answer.output.isEmpty && answer.complaints.isEmpty, "\(answer.errors)")
    let requests = try await server.requests(count: all.count)
    #expect(requests.count == all.count)
    #expect(digests(requests) == Dictionary(uniqueKeysWithValues: all.map { ($0.id, [$0.digest]) }))
    #expect(requests.allSatisfy { $0.method == "POST" && $0.path == "/here" })
    #expect(requests.allSatisfy { $0.headers["Content-Type"] == "application/json" })
    #expect(site.marked.count == 3)
    #expect(try await site.run(SendSite.overHTTP).status == .exited(0))
    #expect(try server.requests().count == all.count)
  }

  @Test func `a server that is out of order for a moment gets them again`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site(path: "/first/503,503,0,429:0")
    try site.makeThree()
    let all = try await site.messages(SendSite.overHTTP)
    let answer = try await site.run(SendSite.overHTTP + ["--window", "1"])
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
    let answer = try await site.run(SendSite.overHTTP + ["-v"])
    #expect(answer.status == .exited(status) && answer.errors.contains("\(answered)"), "\(answer.errors)")
    #expect(!answer.errors.contains("s3cret") && site.marked.isEmpty)
    #expect(!site.exists("2024_01_01_00_00.out/.tstat_send"))
  }

  @Test func `a message that is refused stops no other one, and is tried again alone`() async throws {
    let server = try await TestServer("web_server")
    // What a row of the first directory alone moved, in bits.
    let site = try server.site(path: "/refuse/8001416/413")
    try site.make("1.out", tcp: 500)
    try site.make("2.out", tcp: 100)
    let all = try await site.messages(SendSite.overHTTP)
    let refused = try #require(
      SendSite.bodies(Data(try await site.run(["-N"] + SendSite.overHTTP).output.utf8)).firstIndex {
        String(decoding: $0, as: UTF8.self).contains("8001416")
      })
    for round in 1...2 {
      let answer = try await site.run(SendSite.overHTTP)
      #expect(answer.status == .exited(65), "\(answer.errors)")
      #expect(answer.errors.contains("message \(refused + 1) of \(site.path("1.out")) is left out"))
      #expect(site.marked == ["2.out"])
      let requests = try server.requests()
      #expect(requests.count == all.count + round - 1)
      #expect(Set(requests.map { $0.headers["Idempotency-Key"] }) == Set(all.map(\.id)))
      #expect(requests.suffix(round - 1).allSatisfy { $0.headers["Idempotency-Key"] == all[refused].id })
    }
    try site.configure(SendSite.http(port: server.port))
    #expect(try await site.run(SendSite.overHTTP).status == .exited(0))
    #expect(site.marked == ["1.out", "2.out"] && !site.exists("1.out/.tstat_send"))
    #expect(try server.requests().count == all.count + 2)
  }

  @Test func `a message that fails with every try stops no other one, and is the next run's`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site(path: "/refuse/8001416/500")
    try site.make("1.out", tcp: 500)
    try site.make("2.out", tcp: 100)
    let all = try await site.messages(SendSite.overHTTP)
    let answer = try await site.run(SendSite.overHTTP + ["--timeout", "1", "--window", "4"])
    #expect(answer.status == .exited(75), "\(answer.errors)")
    #expect(answer.errors.contains("the server takes other messages and not this one"), "\(answer.errors)")
    #expect(Set(try server.requests().map { $0.headers["Idempotency-Key"] }) == Set(all.map(\.id)))
    #expect(site.marked == ["2.out"] && site.acknowledged("1.out") == 10)
    let before = try server.requests().count
    try site.configure(SendSite.http(port: server.port))
    #expect(try await site.run(SendSite.overHTTP).status == .exited(0))
    #expect(site.marked == ["1.out", "2.out"])
    #expect(try server.requests().count == before + 1)
  }

  @Test func `--single goes past a directory of which nothing new can be sent`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site()
    try site.make("1.out", tcp: 0, udp: 60)
    try site.folder.write("a b c\nd e f\n", to: "logs/1.out/log_tcp_complete")
    try site.make("2.out", tcp: 60)
    #expect(try await site.run(SendSite.overHTTP + ["--single"]).status == .exited(65))
    #expect(site.marked.isEmpty)
    #expect(try await site.run(SendSite.overHTTP + ["--single"]).status == .exited(65))
    #expect(site.marked == ["2.out"])
  }

  @Test func `what was sent of a directory that is not marked is not sent again`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site()
    try site.make("1.out", tcp: 0, udp: 120)
    try site.folder.write("a b c\nd e f\n", to: "logs/1.out/log_tcp_complete")
    try site.make("2.out", tcp: 220)
    let rows = site.path("2.out/log_tcp_complete")
    let script = "gzip \(rows) && truncate -s -20 \(rows).gz"
    #expect(try await ChildProcess(["sh", "-c", script]).ended() == .exited(0))
    for _ in 1...2 {
      let answer = try await site.run(SendSite.overHTTP)
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
    let answer = try await site.run(SendSite.overHTTP)
    #expect(answer.status == .exited(75) && answer.complaints.count == 1, "\(answer.errors)")
    #expect(answer.errors.contains("127.0.0.1:1") && site.marked.isEmpty)
  }

  @Test func `a run that is killed is continued`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site()
    try site.makeThree(messages: 10)
    let all = try await site.messages(SendSite.overHTTP)
    var random = SplitMix64(seed: 0x6874_7470)
    var kills = 0
    while true {
      let run = try site.start(SendSite.overHTTP + ["--window", "2"])
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
}
