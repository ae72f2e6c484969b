import Foundation
import Glibc
import Lab
import Testing

/// Reports and alerts that go to a web server (--publish-config), over failures of it and of the program.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct AggregatorPublishTests {
  /// A record as the web server got it.
  private struct Received: Hashable {
    let id: String
    let key: String
    let body: String

    init(_ request: TestServer.Request) throws {
      id = try #require(request.headers["Idempotency-Key"])
      key = try #require(request.headers["X-Routing-Key"])
      body = request.body
    }

    /// One that still waits in a file, `NUMBER.RUN.TIME.EVENT`.
    init?(file: String, in folder: String) throws {
      let parts = file.split(separator: ".").map(String.init)
      guard parts.count == 4, let number = Int(parts[0]) else { return nil }
      id = "\(parts[1])-\(number)"
      key = "bwmon.\(Self.host).\(parts[3])"
      body = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
    }

    static var host: String { ProcessInfo.processInfo.hostName.replacing(".", with: "_") }

    /// Grows by one with each record.
    var number: Int { Int(id.drop { $0 != "-" }.dropFirst()) ?? -1 }
  }

  /// A network, a port in it for web servers, and the program's files.
  private struct Setting {
    let namespace: NetworkNamespace
    let folder: ScratchFolder
    let port: UInt16

    var spool: String { "\(folder.path)/state/publish" }

    init(_ more: String = "") async throws {
      namespace = try await NetworkNamespace()
      folder = try ScratchFolder()
      let first = try await TestServer("web_server", in: namespace)
      port = first.port
      try await first.stop()
      try configure(more)
    }

    func configure(_ more: String, port: UInt16? = nil) throws {
      try folder.write(
        "[publish]\ntransport=http\nhost=127.0.0.1\nport=\(port ?? self.port)\nuse_ssl=no\npath=/in\n\(more)\n",
        to: "publish.cfg")
    }

    func server(_ words: [String] = []) async throws -> TestServer {
      try await TestServer("web_server", ["keep", "port=\(port)"] + words, in: namespace)
    }

    func start(_ arguments: [String] = [], interval: String = "0.1") throws -> ChildProcess {
      try namespace.start(
        [
          Program.path("runaggregator"), "--format", "json", "--interval", interval, "--publish-config",
          "\(folder.path)/publish.cfg", "--spool", "\(folder.path)/state",
        ] + arguments)
    }

    /// The records that wait.
    var waiting: [String] { (try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? [] }

    /// What the next start would send: with much else to do, three seconds at the end are not enough for the last ones.
    func rest() throws -> [Received] { try waiting.compactMap { try Received(file: $0, in: spool) } }

    func waits(for count: Int, _ program: ChildProcess) async throws {
      try await eventually("\(count) that wait", state: { "\(waiting) \(program.errors.text)" }) {
        waiting.count >= count ? () : nil
      }
    }
  }

  private func received(_ servers: TestServer...) throws -> [Received] {
    try servers.flatMap { try $0.requests().map(Received.init) }
  }

  @Test func `each event that is wanted arrives as the line that is written`() async throws {
    let setting = try await Setting("events=usage, alert, outage")
    let server = try await setting.server()
    try setting.folder.write("[gate]\ntype=ping\nhost=127.0.0.1\ncount=1\ninterval=0.2\n", to: "monitors.cfg")
    try setting.folder.write("[Gateway]\ndown=yes\non_resolve=yes\n", to: "rules.cfg")
    let program = try setting.start([
      "--monitor-config", "\(setting.folder.path)/monitors.cfg", "--notification-config",
      "\(setting.folder.path)/rules.cfg",
    ])
    try await setting.namespace.nft(
      "table inet gate { chain in { type filter hook input priority 0; icmp type echo-request drop; }; }")
    _ = try await program.errors.first("down") { $0.contains("is down") ? () : nil }
    try await setting.namespace.nft("delete table inet gate")
    _ = try await program.errors.first("up") { $0.contains("is up again") ? () : nil }
    #expect(try await program.stop() == .exited(0))
    let wanted = ["usage", "alert", "outage"]
    let lines = program.output.lines.filter { line in
      wanted.contains { line.contains("\"event\":\"\($0)\"") }
    }
    let records = Set(try received(server) + setting.rest())
    #expect(Set(records.map(\.body)) == Set(lines) && records.count == lines.count)
    for event in wanted {
      let some = records.filter { $0.body.contains("\"event\":\"\(event)\"") }
      #expect(!some.isEmpty && some.allSatisfy { $0.key == "bwmon.\(Received.host).\(event)" }, "\(event)")
    }
  }

  @Test func `no record is missing when the server and the program are killed, and copies have one id`()
    async throws
  {
    let setting = try await Setting()
    let program = try setting.start()
    _ = try await program.errors.first("a warning") { $0.contains("nothing is published") ? () : nil }
    try await setting.waits(for: 5, program)
    let first = try await setting.server()
    _ = try await first.reports("request", count: 12)
    try await first.stop()
    try await setting.waits(for: 5, program)
    #expect(try await program.stop(SIGKILL) == .signalled(SIGKILL))
    let second = try setting.start()
    _ = try await second.errors.first("a warning") { $0.contains("nothing is published") ? () : nil }
    let last = try await setting.server(["delay=0.05"])
    _ = try await second.errors.first("the end of it") { $0.contains("published again") ? () : nil }
    _ = try await last.reports("request", count: 12)
    #expect(try await second.stop() == .exited(0))
    let records = try received(first, last) + setting.rest()
    let numbers = Set(records.map(\.number))
    #expect(numbers == Set(0...(numbers.max() ?? 0)), "\(numbers.sorted())")
    for copies in Dictionary(grouping: records, by: \.id).values { #expect(Set(copies).count == 1) }
    #expect(Set(records.map { $0.id.prefix { $0 != "-" } }).count == 2)
    // What was written has arrived, but for the end of the run that was killed: that was not on the disk yet.
    let arrived = Set(records.map(\.body))
    let lines = [program, second].map { $0.output.lines.filter { $0.contains("\"event\":\"usage\"") } }
    let missing = lines[0].filter { !arrived.contains($0) }
    #expect(missing == lines[0].suffix(missing.count))
    #expect(lines[1].allSatisfy { arrived.contains($0) })
    for program in [program, second] {
      #expect(program.errors.lines.count { $0.contains("nothing is published") } <= 2)
    }
  }

  @Test func `a full folder drops the oldest, and says and counts it`() async throws {
    let setting = try await Setting("spool_size=64k\nwindow=2")
    let program = try setting.start(interval: "0.05")
    _ = try await program.errors.first("a warning") {
      $0.contains("the oldest records are dropped") ? () : nil
    }
    try await program.output.first("the counter") { line in
      line.firstMatch(of: #/"dropped_records":([1-9])/#).map { _ in }
    }
    #expect(setting.waiting.count { !$0.hasSuffix(".new") } <= 16)
    let server = try await setting.server()
    _ = try await program.errors.first("the end of it") { $0.contains("published again") ? () : nil }
    #expect(try await program.stop() == .exited(0))
    let numbers = Set(try (received(server) + setting.rest()).map(\.number))
    let missing = Set(0...(numbers.max() ?? 0)).subtracting(numbers)
    // Those that were under way, then the hole.
    #expect(numbers.isSuperset(of: [0, 1]) && missing.contains(2))
    let dropped = program.output.lines.compactMap { line in
      line.firstMatch(of: #/"dropped_records":([0-9]+)/#).flatMap { Int($0.1) }
    }
    #expect(missing.count >= (dropped.last ?? .max) && dropped == dropped.sorted())
    #expect(program.errors.lines.count { $0.contains("the oldest records are dropped") } == 1)
  }

  @Test func `a server that is slow or silent delays no report`() async throws {
    let setting = try await Setting("window=1\ntimeout=2")
    let server = try await setting.server(["delay=3"])
    let program = try setting.start(["--count", "40"])
    #expect(try await program.ended() == .exited(0))
    let intervals = program.output.lines.compactMap { line in
      line.firstMatch(of: #/"interval":([0-9.]+)/#).flatMap { Double($0.1) }
    }
    // If they waited, each would.
    #expect(intervals.count == 39 && intervals.sorted()[20] < 1, "\(intervals)")
    #expect(server.reports("request").count < 10 && setting.waiting.count > 30)
  }

  @Test func `a reload takes another server, or keeps all when the file is wrong`() async throws {
    let setting = try await Setting()
    let first = try await setting.server()
    let program = try setting.start()
    _ = try await first.reports("request", count: 3)
    try setting.configure("windw=3")
    program.signal(SIGHUP)
    _ = try await program.errors.first("why") { $0.contains("did you mean window?") ? () : nil }
    let count = first.reports("request").count
    _ = try await first.reports("request", count: count + 3)
    let other = try await TestServer("web_server", ["keep"], in: setting.namespace)
    try setting.configure("", port: other.port)
    program.signal(SIGHUP)
    _ = try await other.reports("request", count: 3)
    #expect(try await program.stop() == .exited(0))
    let numbers = Set(try (received(first, other) + setting.rest()).map(\.number))
    #expect(numbers == Set(0...(numbers.max() ?? 0)))
  }

  @Test(arguments: [
    ("[publish]\nhost=h\nport=1\ntransport=htp\n", "publish.cfg:4: unknown transport"),
    ("[publish]\ntransport=http\nport=1\n", "publish.cfg:1: [publish] needs host"),
    ("[publish]\ntransport=http\nhost=h\nport=1\nevent=usage\n", "(did you mean events?)"),
    ("[other]\nx=1\n", "no section [publish]"),
    ("[publish]\ntransport=http\nhost=h\nport=1\n[http]\nx=1\n", "unknown section [http]"),
  ])
  func `--check-config says what is wrong`(text: String, said: String) async throws {
    let folder = try ScratchFolder()
    let file = try folder.write(text, to: "publish.cfg")
    let child = try ChildProcess([
      Program.path("runaggregator"), "--publish-config", file, "--check-config",
    ])
    #expect(try await child.ended() == .exited(78))
    #expect(child.errors.text.contains(said), "\(child.errors.text)")
  }
}
