import Foundation
import Lab
import Testing

/// tstat_send's flags, and what it prints; nothing is sent.
@Suite struct SendFlagTests {
  @Test(
    "the original's flags are taken, short and long",
    arguments: [
      ["-N", "--no-transport"], ["-N -s", "--no-transport --single"], ["-N -v", "-N --verbose"],
      ["-N -D", "-N --debug"], ["-N -S here", "-N --sensor here"], ["-N -I 7", "-N --instance=7"],
      ["-N -T 1", "-N --threshold=1"], ["-N -t rabbit", "-N --transport rabbit"],
    ])
  func originalFlags(forms: [String]) async throws {
    let site = try SendSite()
    try site.makeThree()
    var answers: [SendSite.Answer] = []
    for form in forms { answers.append(try await site.run(form.split(separator: " ").map(String.init))) }
    for answer in answers {
      #expect(answer.status == .exited(0), "\(answer.errors)")
      #expect(!answer.output.isEmpty && answer.output == answers.first?.output)
    }
    #expect(site.marked.isEmpty)
  }

  @Test func `directory and config have long names, and config has a default`() async throws {
    let site = try SendSite()
    try site.makeThree()
    let short = try await site.run(["-N"])
    let rest = ["--no-transport", "--threshold", "0", "--settle", "0"]
    let long = try await SendSite.run(only: ["--directory", site.root, "--config", site.config] + rest)
    #expect(long.status == .exited(0) && long.output == short.output)
    let inFolder = try ChildProcess(
      [
        "sh", "-c", "cd \(site.folder.path) && exec \"$@\"", "sh", Lab.Program.path("tstat_send"), "-d",
        "logs",
      ] + rest)
    #expect(try await inFolder.ended() == .exited(0))
    #expect(inFolder.output.text == short.output)
  }

  @Test(
    "wrong flags",
    arguments: [
      (["-x"], "-x"), (["--no-such-flag"], "--no-such-flag"), (["-t", "kafka"], "kafka"),
      (["-T", "-1"], "-T"),
      (["-T", "many"], "many"), (["--threshold=-5"], "negative"), (["--window", "0"], "--window"),
      (["--window", "4097"], "--window"), (["--settle", "soon"], "soon"), (["--mark"], "--no-transport"),
      (["--format", "xml"], "xml"), (["--wire-format", "1"], "wire-format"), (["more"], "more"),
      (["-S"], "-S"), (["--timeout", "0"], "--timeout"), (["--check-config", "-N"], "exclude"),
    ])
  func wrongFlags(flags: [String], word: String) async throws {
    let site = try SendSite()
    try site.makeThree()
    let answer = try await site.run(flags)
    #expect(answer.status == .exited(64) && answer.output.isEmpty)
    #expect(answer.errors.contains(word), "\(answer.errors)")
    #expect(site.marked.isEmpty)
  }

  @Test func `without a directory there is nothing to do`() async throws {
    let site = try SendSite()
    let none = try await SendSite.run(only: ["-c", site.config])
    #expect(none.status == .exited(64) && none.errors.contains("--directory"))
    let wrong = try await SendSite.run(only: ["-c", site.config, "-d", "\(site.root)/none"])
    #expect(wrong.status == .exited(64) && wrong.complaints.count == 1)
    #expect(wrong.errors.contains("\(site.root)/none: there is no such directory"), "\(wrong.errors)")
    let file = try await SendSite.run(only: ["-c", site.config, "-d", site.config])
    #expect(file.status == .exited(64) && file.errors.contains("is not a directory"))
  }

  @Test func `what would be sent is printed, each message and a line feed`() async throws {
    let site = try SendSite()
    try site.makeThree()
    let answer = try await site.run(["-N"])
    #expect(answer.status == .exited(0) && answer.output.hasSuffix("\n]\n"))
    let bodies = SendSite.bodies(Data(answer.output.utf8))
    // 151, 130 and 30, and 149 rows.
    let counts = try bodies.map { try Self.objects($0).count }
    #expect(counts == [100, 100, 100, 2, 100, 100, 100, 20, 100, 100, 98])
    #expect(site.marked.isEmpty && !site.exists("2024_01_01_00_00.out/.tstat_send"))
    let again = try await site.run(["-N"])
    #expect(again.output == answer.output)
    let marking = try await site.run(["-N", "--mark"])
    #expect(marking.status == .exited(0) && marking.output == answer.output)
    #expect(site.marked.count == 3 && site.read("2024_01_01_01_00.out/.processed") == "processed")
    let done = try await site.run(["-N"])
    #expect(done.status == .exited(0) && done.output.isEmpty)
  }

  private static func objects(_ body: Data) throws -> [[String: Any]] {
    try #require(try JSONSerialization.jsonObject(with: body) as? [[String: Any]])
  }

  @Test func `sensor and instance are in each object`() async throws {
    let site = try SendSite()
    try site.make("1.out", tcp: 2, udp: 1)
    func metas(_ flags: [String]) async throws -> [[String: Any]] {
      try Self.objects(Data(try await site.run(["-N"] + flags).output.utf8)).compactMap {
        $0["meta"] as? [String: Any]
      }
    }
    let named = try await metas(["-S", "a \"sensor\"", "-I", "3"])
    #expect(named.count == 6)
    #expect(
      named.allSatisfy { $0["sensor_id"] as? String == "a \"sensor\"" && $0["instance_id"] as? String == "3" }
    )
    let host = ProcessInfo.processInfo.hostName
    let plain = try await metas([])
    #expect(plain.count == 6 && plain.allSatisfy { $0["instance_id"] as? Int == 0 })
    #expect(plain.allSatisfy { host.hasPrefix($0["sensor_id"] as? String ?? "?") }, "\(host)")
  }

  @Test func `the threshold is in megabytes, and --single ends with the first directory that has something`()
    async throws
  {
    let site = try SendSite()
    try site.make("1.out", tcp: 3)
    try site.make("2.out", tcp: 0, udp: 4)
    try site.make("3.out", tcp: 5, udp: 5)
    func counts(_ flags: [String]) async throws -> [Int] {
      let answer = try await site.run(["-N"] + flags)
      #expect(answer.status == .exited(0))
      return try SendSite.bodies(Data(answer.output.utf8)).map { try Self.objects($0).count }
    }
    #expect(try await counts([]) == [6, 8, 20])
    // The servers' directions have less.
    #expect(try await counts(["-T", "1"]) == [3, 4, 10])
    // TCP's 1,000,000 bytes and UDP's 2,000,000.
    #expect(try await counts(["-T", "2"]) == [4, 5])
    #expect(try await counts(["-T", "2", "--single"]) == [4])
    #expect(try await counts(["-T", "3"]).isEmpty)
  }

  @Test func `--format json gives an object a line`() async throws {
    let site = try SendSite()
    try site.makeThree()
    try site.folder.write(
      "\(SendSite.headerOfUDP)nonsense\na b c\n", to: "logs/2024_01_01_00_00.out/log_udp_complete")
    let answer = try await site.run(["-N", "--format", "json"])
    #expect(answer.status == .exited(65))
    let lines = answer.errors.split(separator: "\n").filter { $0.hasPrefix("{") }
    let objects = try lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(objects.map { $0["event"] as? String } == ["shipped", "shipped", "shipped", "shipped_total"])
    #expect(objects.allSatisfy { $0["schema"] as? Int == 1 && $0["time"] is String })
    #expect(objects.last?["rows"] as? Int == 151 + 2 + 160 + 149)
    #expect(objects.last?["messages"] as? Int == 11)
    #expect(!answer.errors.contains("ts="))
  }

  @Test func `nobody who reads is no failure`() async throws {
    let site = try SendSite()
    try site.make("1.out", tcp: 2000)
    let answer = try await site.run(
      ["-N"], wrapper: ["bash", "-c", "\"$@\" | head -n 1; exit ${PIPESTATUS[0]}", "bash"])
    #expect(
      answer.status == .exited(0) && answer.output == "[\n" && answer.complaints.isEmpty, "\(answer.errors)")
    let marking = try await site.run(["-N", "--mark"], output: .brokenPipe)
    #expect(marking.status == .exited(0) && marking.complaints.isEmpty, "\(marking.errors)")
    #expect(site.marked.isEmpty)
  }
}

/// Configurations that cannot be used.
@Suite struct SendConfigurationTests {
  /// A configuration, the flags, the line that is named (nil for none), and words of the sentence.
  static let wrong: [(String, [String], Int?, String)] = {
    func rabbit(_ changes: [String: String] = [:], more: String = "") -> String {
      SendSite.rabbit(port: 5672, queue: "q", changing: changes, more: more)
    }
    func without(_ key: String) -> String {
      rabbit().split(separator: "\n").filter { !$0.hasPrefix("\(key)=") }.map { $0 + "\n" }.joined()
    }
    let keys = [
      "host", "port", "username", "password", "use_ssl", "vhost", "queue", "routing_key", "exchange",
    ]
    return keys.map { (without($0), [], 1, $0) } + [
      ("", [], 1, "[rabbit]"), ("[http]\nhost=a\nport=1\n", [], 1, "[rabbit]"),
      (rabbit(), ["-t", "http"], 1, "[http]"), (rabbit(more: "hots=b\n"), [], 11, "hots"),
      (rabbit(["port": "many"]), [], 3, "port"), (rabbit(["port": "0"]), [], 3, "port"),
      (rabbit(["port": "70000"]), [], 3, "port"), (rabbit(["use_ssl": "perhaps"]), [], 6, "use_ssl"),
      (rabbit(["host": ""]), [], 2, "host"),
      (rabbit(more: "declare=sometimes\n"), [], 11, "sometimes"),
      (rabbit(more: "host=again\n"), [], 11, "host"),
      (rabbit(more: "[rabbit_queue_options]\ndurable=maybe\n"), [], 12, "durable"),
      (rabbit(["use_ssl": "yes"], more: "[ssl_options]\ncert_reqs=x\n"), [], 12, "cert_reqs"),
      ("[http]\nhost=a\n", ["-t", "http"], 1, "port"),
      ("[http]\nhost=a b\nport=1\n", ["-t", "http"], 2, "host"),
      ("[http]\nhost=a\nport=1\nverb=PUT\n", ["-t", "http"], 4, "verb"),
      ("host=a\n", [], 1, "no section yet"),
    ]
  }()

  @Test("what is wrong is named with its line, also where nothing is sent", arguments: wrong.indices)
  func wrongFile(index: Int) async throws {
    let (text, flags, line, word) = Self.wrong[index]
    let site = try SendSite(text)
    try site.makeThree()
    for more in [[], ["-N"]] {
      let answer = try await site.run(flags + more)
      #expect(answer.status == .exited(78) && answer.output.isEmpty, "\(answer.errors)")
      #expect(answer.errors.split(separator: "\n").count == 1)
      if let line { #expect(answer.errors.contains("\(site.config):\(line): "), "\(answer.errors)") }
      #expect(answer.errors.contains(word) && answer.errors.hasSuffix(".\n"), "\(answer.errors)")
    }
    #expect(site.marked.isEmpty)
  }

  @Test func `a file that is not there, or is none`() async throws {
    let site = try SendSite()
    try site.makeThree()
    for path in ["\(site.folder.path)/none.ini", site.root, ""] {
      let answer = try await SendSite.run(only: ["-d", site.root, "-c", path, "-N"])
      #expect(answer.status == .exited(78) && answer.output.isEmpty, "\(answer.errors)")
      #expect(answer.errors.split(separator: "\n").count == 1)
      if !path.isEmpty { #expect(answer.errors.contains(path), "\(answer.errors)") }
    }
  }
}
