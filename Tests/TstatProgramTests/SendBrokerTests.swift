import Foundation
import Lab
import Testing

/// tstat_send and a RabbitMQ that is well: one broker for all, each test with a queue of its own.
@Suite(.rabbitServer) struct SendBrokerTests {
  private let server: RabbitServer

  init() throws { server = try #require(RabbitServer.current) }

  private func site(
    _ queue: String, changing changes: [String: String] = [:], more: String = ""
  ) throws -> SendSite {
    try SendSite(SendSite.rabbit(port: server.port, queue: queue, changing: changes, more: more))
  }

  @Test func `the queue has what is printed, in its order and with all properties`() async throws {
    let site = try site("all")
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
    let site = try site("newest")
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
    let site = try site("json")
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
    let site = try site("empty")
    try site.make("1.out", tcp: 5)
    let answer = try await site.run(["-T", "1000"])
    #expect(answer.status == .exited(0) && answer.errors.contains("no payload"))
    #expect(site.marked == ["1.out"])
  }

  @Test func `logs that change make other messages, sent from the first on`() async throws {
    let site = try site("changed")
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

  // MARK: What is wrong

  /// The name of a queue, keys of [rabbit], lines for its end, the status and words of the sentence.
  static let wrong: [(String, [String: String], String, Int32, String)] = [
    ("vhost", ["vhost": "/other"], "", 78, "\"/other\""),
    ("password", ["password": "a-s3cret-word"], "", 78, "refuses the login of \"guest\""),
    ("passive", [:], "declare=passive\n", 78, "has no queue \"passive\""),
    ("original", [:], "[rabbit_queue_options]\npassive=True\n", 78, "has no queue \"original\""),
    ("none", [:], "declare=none\n", 75, "unroutable"),
    ("key", ["exchange": "amq.direct", "routing_key": "nowhere"], "", 75, "unroutable"),
    ("exchange", ["exchange": "missing"], "", 78, "has no exchange \"missing\""),
    ("host", ["host": "no-such-host.invalid"], "", 78, "no-such-host.invalid"),
    ("port", ["port": "1"], "", 75, "does not take a connection"),
    ("tls", ["use_ssl": "yes"], "", 78, "does not agree on TLS"),
  ]

  @Test(arguments: wrong.indices)
  func `what is wrong is said once, and nothing is marked`(index: Int) async throws {
    let (queue, changes, more, status, words) = Self.wrong[index]
    let site = try site(queue, changing: changes, more: more)
    try site.makeThree()
    let answer = try await site.run(["-v"])
    #expect(answer.status == .exited(status) && answer.output.isEmpty)
    #expect(answer.complaints.count == 1 && answer.errors.contains(words), "\(answer.errors)")
    #expect(answer.errors.hasSuffix(".\n") && !answer.errors.contains("s3cret"), "\(answer.errors)")
    #expect(site.marked.isEmpty && !site.exists("2024_01_01_00_00.out/.tstat_send"))
    // What only a message shows is not known before there is one.
    let isKnownBefore = !["none", "key", "exchange"].contains(queue)
    let empty = try self.site(queue, changing: changes, more: more)
    for flags in [[], ["--check-config"]] {
      let answer = try await empty.run(flags)
      #expect(answer.status == .exited(isKnownBefore ? status : 0), "\(answer.errors)")
      #expect(answer.complaints.count == (isKnownBefore ? 1 : 0), "\(answer.errors)")
      #expect(answer.errors.contains(words) == isKnownBefore, "\(answer.errors)")
    }
  }

  @Test func `--check-config sends nothing, also beside a run`() async throws {
    let site = try site("checked")
    try site.makeThree()
    let answer = try await site.run(["--check-config"])
    #expect(answer.status == .exited(0) && answer.errors.isEmpty, "\(answer.errors)")
    #expect(answer.output == "\(site.config) is valid\n")
    #expect(try await server.count("checked") == 0 && site.marked.isEmpty)
  }

  @Test func `a queue that is full is a reason to come again, from where it ended`() async throws {
    let site = try site("full")
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

  // MARK: Files

  @Test(.needs(.namespaces))
  func `a full disk is a reason to come again, and nothing is marked too soon`() async throws {
    let site = try site("disk")
    try site.make("1.out", tcp: 50 * 40)
    try site.make("2.out", tcp: 1)
    let disk = "\(site.folder.path)/disk"
    let all = try await site.messages()
    // The path is a part of the ids: the logs are where they were, on a disk of a few hundred KiB.
    let script = """
      mkdir \(disk); mount -t tmpfs -o size=1m tmpfs \(disk); cp -r \(site.root)/. \(disk)
      mount --bind \(disk) \(site.root)
      dd if=/dev/zero of=\(site.root)/filler bs=4k 2>/dev/null || true
      set +e
      "$@"; echo "status $?"; find \(site.root) -name '.*' -type f
      "$@" --single; echo "status $?"; find \(site.root) -name '.*' -type f
      echo full; read line; rm \(site.root)/filler
      "$@"; echo "status $?"; cd \(site.root); find . -name '.*' -type f | sort
      """
    let child = try ChildProcess(
      [
        "unshare", "-m", "sh", "-ec", script, "sh", Lab.Program.path("tstat_send"), "-d", site.root, "-c",
        site.config,
      ]
        + ["-T", "0", "--settle", "0", "--window", "8"])
    try await child.output.first("the full disk") { $0 == "full" ? () : nil }
    #expect(child.output.lines == ["status 75", "status 75", "full"], "\(child.errors.text)")
    let complaints = child.errors.lines.filter { !$0.hasPrefix("ts=") }
    #expect(complaints.count == 2, "\(complaints)")
    for line in complaints {
      #expect(
        line.contains("cannot be written: No space left on device. Free some space there"), "\(complaints)")
    }
    child.write("go on\n")
    #expect(try await child.ended() == .exited(0))
    #expect(
      child.output.lines.dropFirst(3) == ["status 0", "./1.out/.processed", "./2.out/.processed"],
      "\(child.errors.text)")
    let received = try await server.drain("disk")
    #expect(Set(received.map(\.id)) == Set(all.map(\.id)) && received.count <= all.count + 16 + 8)
  }

  @Test func `logs that cannot be read or are of no use do not hold the others up`() async throws {
    let site = try site("unreadable")
    try site.makeThree()
    let all = try await site.messages()
    for (name, log, target) in [
      ("2023_02_01_00_00.out", "log_tcp_complete", "/nowhere"),
      ("2023_03_01_00_00.out", "log_udp_complete.gz", "/etc/passwd"),
    ] {
      // The other log is good: with the linked one it would be in other messages.
      try site.make(name, tcp: 0, udp: name.contains("_02_") ? 3 : 0)
      try FileManager.default.createSymbolicLink(
        atPath: site.path("\(name)/\(log)"), withDestinationPath: target)
    }
    try site.make("2023_04_01_00_00.out", tcp: 0)
    try site.folder.write("a b c\nd e f\n", to: "logs/2023_04_01_00_00.out/log_tcp_complete")
    let answer = try await site.run()
    #expect(answer.status == .exited(65), "\(answer.errors)")
    #expect(try await server.drain("unreadable").map(\.id) == all.map(\.id))
    for log in ["2023_02_01_00_00.out/log_tcp_complete", "2023_03_01_00_00.out/log_udp_complete.gz"] {
      #expect(answer.errors.contains("\(log) is passed over: links are not followed."), "\(answer.errors)")
    }
    #expect(answer.errors.contains("2023_04_01_00_00.out/log_tcp_complete:1: "), "\(answer.errors)")
    // Not even the one of no use: another version may know its rows.
    #expect(site.marked == ["2024_01_01_00_00.out", "2024_01_01_01_00.out", "2024_01_01_02_00.out"])
  }

  @Test func `a log that this user may not read is sent once it can be read, with all its rows`() async throws
  {
    let site = try site("forbidden")
    let name = "2024_01_01_01_00.out"
    try site.make("2024_01_01_00_00.out", tcp: 1)
    try site.make(name, tcp: 50 * 10, udp: 50 * 20)
    try site.make("2024_01_01_02_00.out", tcp: 1)
    let all = try await site.messages()
    let program = try await site.folder.copy(Lab.Program.path("tstat_send"), as: "tstat_send")
    func setMode(_ mode: Int, _ file: String) throws {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: site.path(file))
    }
    try setMode(0o600, "\(name)/log_tcp_complete")
    for folder in ["2024_01_01_00_00.out", name, "2024_01_01_02_00.out"] { try setMode(0o777, folder) }
    func run() async throws -> SendSite.Answer {
      let child = try ChildProcess(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program]
          + ["-d", site.root, "-c", site.config, "-T", "0", "--settle", "0", "--window", "2"])
      return try await SendSite.answer(child)
    }
    let answer = try await run()
    #expect(answer.status == .exited(65), "\(answer.errors)")
    #expect(
      answer.errors.contains("\(name)/log_tcp_complete cannot be read: Permission denied"), "\(answer.errors)"
    )
    #expect(site.marked == ["2024_01_01_00_00.out", "2024_01_01_02_00.out"])
    var received = try await server.drain("forbidden")
    // What comes after the gap would be other messages when the log can be read.
    #expect(received.count == 1 + 1)
    try setMode(0o644, "\(name)/log_tcp_complete")
    #expect(try await run().status == .exited(0))
    received += try await server.drain("forbidden")
    #expect(Set(all.map(\.id)).isSubset(of: received.map(\.id)))
    #expect(site.marked.count == 3)
  }
}
