import Foundation
import Lab
import Testing

/// What tstat_send brings to a RabbitMQ, one broker for all and a queue for each test, and what it then marks.
@Suite(.rabbitServer) struct SendBrokerTests {
  private let server: RabbitServer

  init() throws { server = try #require(RabbitServer.current) }

  @Test func `the queue has what is printed, in its order and with all properties`() async throws {
    let site = try server.site("all")
    try site.makeThree()
    let messages = try await site.messages(["-S", "sensor"])
    let before = Int64(Date().timeIntervalSince1970)
    let answer = try await site.run(["-S", "sensor"])
    #expect(
      answer.status == .exited(0) && answer.output.isEmpty && answer.complaints.isEmpty, "\(answer.errors)")
    let received = try await server.drain("all")
    #expect(received.map(\.digest) == messages.map(\.digest) && messages.count == 11)
    #expect(received.map(\.id) == messages.map(\.id) && Set(messages.map(\.id)).count == 11)
    let now = Int64(Date().timeIntervalSince1970)
    for message in received {
      #expect(message.mode == 2 && message.type == "application/json" && message.app == "tstat_send")
      #expect(message.key == "all")
      #expect((before...now).contains(message.time ?? 0))
    }
    let first = "2024_01_01_00_00.out/log_tcp_complete"
    #expect(
      received[1].headers == ["x-source": .text(first), "x-first-row": .number(52), "x-rows": .number(100)])
    let second = "2024_01_01_01_00.out/log_tcp_complete"
    #expect(
      received[4].headers == ["x-source": .text(second), "x-first-row": .number(2), "x-rows": .number(100)])
    #expect(received[7].headers["x-rows"] == .number(20))
    try await expectDone(site, "all")
  }

  /// All is marked, and nothing is left to send.
  private func expectDone(_ site: SendSite, _ queue: String) async throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: site.root) {
      #expect(site.read("\(name)/.processed") == "processed")
      let names = try FileManager.default.contentsOfDirectory(atPath: site.path(name))
      #expect(names.filter { !$0.hasPrefix("log_") } == [".processed"])
    }
    let again = try await site.run()
    #expect(again.status == .exited(0) && again.output.isEmpty && again.saysNothingIsLeft)
    #expect(try await server.count(queue) == 0)
  }

  @Test func `the newest directory is left until there is a later one, or it is old`() async throws {
    let site = try server.site("newest")
    try site.makeThree()
    let all = try await site.messages()
    func send(_ settle: String, _ names: [String]) async throws {
      let answer = try await site.run(["--settle", settle, "-v"])
      #expect(answer.status == .exited(0), "\(answer.errors)")
      #expect(site.marked == names)
    }
    try await send("2h", ["2024_01_01_00_00.out", "2024_01_01_01_00.out"])
    #expect(try await server.drain("newest").map(\.id) == all.dropLast(3).map(\.id))
    try await send("7200", site.marked)
    #expect(try await server.count("newest") == 0)
    // Later names in another folder say nothing about it.
    try site.make("other/2024_01_01_05_00.out", tcp: 1)
    try await send("2h", site.marked)
    try site.make("2024_01_01_03_00.out", tcp: 1)
    try await send("2h", ["2024_01_01_00_00.out", "2024_01_01_01_00.out", "2024_01_01_02_00.out"])
    #expect(try await server.drain("newest").map(\.id) == all.suffix(3).map(\.id))
    try site.age("2024_01_01_03_00.out/log_tcp_complete", seconds: 7300)
    try await send("2h", site.marked + ["2024_01_01_03_00.out"])
    #expect(try await server.count("newest") == 1)
    try await send("0", site.marked)
    #expect(site.exists("other/2024_01_01_05_00.out/.processed"))
    #expect(try await server.count("newest") == 2)
  }

  @Test func `--single and --format json`() async throws {
    let site = try server.site("json")
    try site.makeThree()
    let all = try await site.messages()
    let answer = try await site.run(["--single", "--format", "json"])
    #expect(answer.status == .exited(0) && !answer.errors.contains("ts="))
    let lines = try answer.output.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(lines.map { $0["event"] as? String } == ["shipped", "shipped_total"])
    #expect(lines.first?["path"] as? String == site.path("2024_01_01_00_00.out"))
    #expect(lines.first?["marked"] as? Bool == true && lines.last?["messages"] as? Int == 4)
    #expect(site.marked == ["2024_01_01_00_00.out"])
    #expect(try await server.drain("json").map(\.id) == all.prefix(4).map(\.id))
  }

  @Test func `a directory without a row of use is marked too`() async throws {
    let site = try server.site("empty")
    try site.make("1.out", tcp: 5)
    let answer = try await site.run(["-T", "1000"])
    #expect(answer.status == .exited(0) && answer.errors.contains("no payload"))
    #expect(site.marked == ["1.out"])
  }

  @Test func `logs that change make other messages, sent from the first on`() async throws {
    let site = try server.site("changed")
    try await server.declare("changed", ["x-max-length": 9, "x-overflow": "reject-publish"])
    try site.make("1.out", tcp: 50 * 20)
    let failed = try await site.run(["--window", "2"])
    #expect(failed.status == .exited(75) && site.acknowledged("1.out") > 0)
    _ = try await server.drain("changed")
    try site.make("1.out", tcp: 51)
    let answer = try await site.run()
    #expect(answer.status == .exited(0) && answer.errors.contains("the logs or the settings have changed"))
    #expect(try await server.count("changed") == 2 && site.marked == ["1.out"])
  }

  @Test func `a queue that is full is a reason to come again, from where it ended`() async throws {
    let site = try server.site("full")
    try await server.declare("full", ["x-max-length": 6, "x-overflow": "reject-publish"])
    try site.makeThree()
    let all = try await site.messages()
    var received: [RabbitMessage] = []
    var runs = 0
    while site.marked.count < 3, runs < 12 {
      runs += 1
      let answer = try await site.run(["--window", "2"])
      received += try await server.drain("full")
      try expectMarked(site, all, received)
      if answer.status == .exited(0) { break }
      #expect(answer.status == .exited(75) && answer.complaints.count == 1, "\(answer.errors)")
      #expect(answer.errors.contains("(nack)"), "\(answer.errors)")
    }
    #expect(runs >= 2 && received.count < all.count + 2 * runs)
    #expect(Set(received.map(\.id)) == Set(all.map(\.id)))
    try await expectDone(site, "full")
  }

  /// What is marked has been received.
  private func expectMarked(_ site: SendSite, _ all: [SendSite.Message], _ received: [RabbitMessage]) throws {
    let ids = Set(received.map(\.id))
    for name in site.marked { #expect(all.allSatisfy { $0.directory != name || ids.contains($0.id) }) }
  }

  @Test func `the password is taken of the environment, and is seen nowhere else`() async throws {
    try await server.control("add_user teller a-s3cret-word")
    try await server.control("set_permissions teller .* .* .*")
    let text = SendSite.rabbit(port: server.port, queue: "secret", changing: ["username": "teller"])
    let site = try SendSite(text)
    try site.makeThree()
    let answer = try await site.run(["-v", "-D"], environment: ["RABBIT_PASSWORD": "a-s3cret-word"])
    #expect(answer.status == .exited(0) && !answer.errors.contains("s3cret"), "\(answer.errors)")
    #expect(try await server.count("secret") == 11)
    let without = try await site.run(["-v"])
    #expect(without.status == .exited(78) && site.marked.count == 3, "nothing is to be sent")
  }
}
