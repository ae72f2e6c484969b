import Foundation
import Glibc
import Lab
import Testing

/// What happens to a run of tstat_send that is under way: signals, another run, directories that go.
@Suite struct SendHeldTests {
  /// Starts a run that waits in its first directory for the server, which was stopped.
  private func hold(_ server: TestServer, _ site: SendSite, _ flags: [String] = []) async throws
    -> ChildProcess
  {
    server.pause()
    let run = try site.start(SendSite.overHTTP + ["--window", "1", "-v"] + flags)
    try await run.errors.first("the first message") { $0.contains(": message 1 of ") ? () : nil }
    return run
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal lets the directory be finished`(signal: Int32) async throws {
    let server = try await TestServer("web_server")
    let site = try server.site()
    try site.makeThree()
    let all = try await site.messages(SendSite.overHTTP)
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
    let site = try server.site()
    try site.makeThree()
    let run = try await hold(server, site)
    run.signal(signal)
    try await run.errors.first("what the signal does") { $0.contains("interrupted") ? () : nil }
    run.signal(signal)
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(75) && answer.errors.contains("ended at once"), "\(answer.errors)")
    #expect(site.marked.isEmpty)
    server.resume()
    #expect(try await site.run(SendSite.overHTTP).status == .exited(0))
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
    let site = try server.site()
    try site.makeThree()
    let all = try await site.messages(SendSite.overHTTP)
    let run = try await hold(server, site)
    let second = try await site.run(SendSite.overHTTP)
    #expect(second.status == .exited(75) && second.complaints.count == 1, "\(second.errors)")
    #expect(second.errors.contains("another tstat_send works in \(site.root)"))
    // Who only looks is in nobody's way.
    #expect(try await site.run(["-N"] + SendSite.overHTTP).status == .exited(0))
    #expect(try await site.run(["-N", "--mark"] + SendSite.overHTTP).status == .exited(75))
    server.resume()
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(0), "\(answer.errors)")
    #expect(try server.requests().map { $0.headers["Idempotency-Key"] } == all.map(\.id))
    #expect(site.marked.count == 3)
  }

  @Test func `directories that go during a run are no failure`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site()
    let paths = try site.makeThree()
    let all = try await site.messages(SendSite.overHTTP)
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
    let site = try server.site()
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
    let again = try await site.run(SendSite.overHTTP)
    #expect(again.status == .exited(0) && site.marked == ["1.out", "2.out"], "\(again.errors)")
  }

  @Test func `a directory that another one replaces is left for the next run`() async throws {
    let server = try await TestServer("web_server")
    let site = try server.site()
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
