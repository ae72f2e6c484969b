import Foundation
import Lab
import Testing

/// netconnmon in a network of its own, where port 7000 is the reference.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct NetConnMonTests {
  /// A port that accepts and says nothing, until its owner goes: a line for each connection.
  static func server(
    _ namespace: NetworkNamespace, _ address: String = "127.0.0.1", port: Int = 7000
  ) async throws -> ChildProcess {
    let child = try namespace.start([
      "python3", "-uc",
      """
      import socket, sys
      family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
      server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
      print('listens')
      kept = []
      while True:
        kept = kept[-9:] + [server.accept()[0]]
        print('accepted')
      """, address, "\(port)",
    ])
    try await child.output.first("its start") { $0 == "listens" ? () : nil }
    return child
  }

  /// The program, with checks in quick succession.
  private static func start(
    _ arguments: [String] = [], in namespace: NetworkNamespace, output: ChildProcess.Output = .file
  ) throws -> ChildProcess {
    try namespace.start(
      [Program.path("netconnmon"), "-a", "127.0.0.1", "-p", "7000", "-i", "0.02"] + arguments, output: output)
  }

  /// Waits until `server` has seen `count` connections more.
  static func checks(_ count: Int, at server: ChildProcess) async throws {
    let wanted = server.output.lines.count + count
    try await eventually("\(count) checks") { server.output.lines.count >= wanted ? () : nil }
  }

  /// What the lines from `start` on say, once there are `count`.
  private static func changes(_ count: Int, of monitor: ChildProcess) async throws -> [String] {
    let lines = try await eventually("\(count) lines", state: { monitor.output.text + monitor.errors.text }) {
      monitor.output.lines.count >= count ? monitor.output.lines : nil
    }
    return try lines.map { line in
      let match = line.wholeMatch(of: #/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d connectivity changed to (.+)/#)
      return String(try #require(match, "\(line)").1).replacing(#/\d+:\d\d:\d\d(\.\d{6})?/#, with: "T")
    }
  }

  @Test func `an interface that goes down and comes back is one outage`() async throws {
    let lab = try await Topology()
    let server = try await Self.server(lab.b, "10.77.1.2")
    let monitor = try lab.a.start([
      Program.path("netconnmon"), "-a", "10.77.1.2", "-p", "7000", "-i", "0.02", "-t", "1",
    ])
    try await Self.checks(5, at: server)
    try await lab.a.ip("link set eth0 down")
    _ = try await Self.changes(1, of: monitor)
    try await lab.a.ip("link set eth0 up")
    let said = try await Self.changes(2, of: monitor)
    #expect(said.first?.hasPrefix("False") == true && said.last?.hasPrefix("True") == true, "\(said)")
    try await Self.checks(10, at: server)
    #expect(monitor.output.lines.count == 2 && monitor.errors.text.isEmpty, "\(monitor.errors.text)")
    #expect(try await monitor.stop() == .exited(0))
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func `it says nothing while the network is up, and ends at a signal`(signal: Int32) async throws {
    let namespace = try await NetworkNamespace()
    let server = try await Self.server(namespace)
    let monitor = try Self.start(in: namespace)
    try await Self.checks(5, at: server)
    monitor.signal(SIGHUP)
    try await Self.checks(5, at: server)
    #expect(try await monitor.stop(signal) == .exited(0))
    #expect(monitor.output.text.isEmpty && monitor.errors.text.isEmpty)
  }

  @Test func `without a descriptor or a local port nothing is said of the network`() async throws {
    let namespace = try await NetworkNamespace()
    let server = try await Self.server(namespace)
    let monitor = try Self.start(in: namespace)
    func limit(to count: Int) async throws {
      try await run(["prlimit", "--pid", "\(monitor.pid)", "--nofile=\(count):"])
    }
    try await Self.checks(2, at: server)
    try await limit(to: 3)
    try await monitor.errors.first("the shortage") {
      $0.contains("Too many open files") && $0.contains("LimitNOFILE=") ? () : nil
    }
    try await limit(to: 1024)
    try await Self.checks(3, at: server)
    // Its closed connections have these ports for a while.
    try await namespace.setSysctl("net.ipv4.ip_local_port_range", to: "40000 40001")
    try await monitor.errors.first("no port") { $0.contains("net.ipv4.ip_local_port_range") ? () : nil }
    try await namespace.setSysctl("net.ipv4.ip_local_port_range", to: "32768 60999")
    try await Self.checks(3, at: server)
    #expect(try await monitor.stop() == .exited(0))
    #expect(monitor.output.text.isEmpty, "\(monitor.output.text)")
  }

  @Test(arguments: [
    (["-m", "0"], "True (downtime: T)"), (["-m", "1h"], "True (downtime: T) (ignored)"),
    (["-m", "0.000001", "-bmin", "0", "-bmax=1", "-bstep", "0"], "True (downtime: T)"),
  ])
  func `an outage has two lines`(arguments: [String], end: String) async throws {
    let namespace = try await NetworkNamespace()
    let server = try await Self.server(namespace)
    let monitor = try Self.start(arguments, in: namespace)
    try await Self.checks(2, at: server)
    try await server.stop(SIGKILL)
    #expect(try await Self.changes(1, of: monitor) == ["False (uptime: T)"])
    let second = try await Self.server(namespace)
    #expect(try await Self.changes(2, of: monitor) == ["False (uptime: T)", end])
    try await second.stop(SIGKILL)
    #expect(try await Self.changes(3, of: monitor).last == "False (uptime: T)")
    #expect(try await monitor.stop() == .exited(0))
    #expect(monitor.errors.text.isEmpty)
  }

  @Test(arguments: [
    ("::1", "::1"), ("[::1]", "::1"), ("127.0.0.1", "127.0.0.1"),
    // A name with an address of each family, of which one refuses.
    ("both.test", "127.0.0.1"), ("both.test", "::1"),
    // A host without IPv6.
    ("both.test", "127.0.0.1 alone"),
  ])
  func `a reference is an address of either family or a name`(reference: String, served: String) async throws
  {
    let namespace = try await NetworkNamespace()
    if served.hasSuffix(" alone") { try await namespace.setSysctl("net.ipv6.conf.all.disable_ipv6", to: "1") }
    let served = served.replacing(" alone", with: "")
    let folder = "/etc/netns/\(namespace.name)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try "127.0.0.1 both.test\n::1 both.test\n".write(
      toFile: "\(folder)/hosts", atomically: true, encoding: .utf8)
    let server = try await Self.server(namespace, served)
    let monitor = try Self.start(["-a", reference], in: namespace)
    try await Self.checks(3, at: server)
    #expect(try await monitor.stop() == .exited(0))
    #expect(monitor.output.text.isEmpty && monitor.errors.text.isEmpty)
  }

  @Test func `with several references it is down when all are`() async throws {
    let namespace = try await NetworkNamespace()
    let first = try await Self.server(namespace)
    let second = try await Self.server(namespace, "::1", port: 7001)
    let monitor = try Self.start(["--also", "[::1]:7001", "--also", "127.0.0.1:7002"], in: namespace)
    try await Self.checks(3, at: second)
    try await first.stop(SIGKILL)
    try await Self.checks(5, at: second)
    #expect(monitor.output.text.isEmpty)
    try await second.stop(SIGKILL)
    #expect(try await Self.changes(1, of: monitor) == ["False (uptime: T)"])
    let third = try await Self.server(namespace, port: 7002)
    #expect(try await Self.changes(2, of: monitor).last == "True (downtime: T) (ignored)")
    try await Self.checks(1, at: third)
    #expect(try await monitor.stop() == .exited(0))
  }

  @Test func `a name that is not found is down, and said once`() async throws {
    let namespace = try await NetworkNamespace()
    let monitor = try Self.start(["-a", "name.invalid", "-t", "1h"], in: namespace)
    #expect(try await Self.changes(1, of: monitor) == ["False (uptime: T)"])
    let server = try await Self.server(namespace, port: 7001)
    let other = try Self.start(["-a", "name.invalid", "--also", "127.0.0.1:7001"], in: namespace)
    try await other.errors.first("what it says") { $0.contains("name.invalid was not found: ") ? () : nil }
    try await Self.checks(100, at: server)
    for program in [monitor, other] {
      #expect(try await program.stop() == .exited(0))
      #expect(program.errors.lines.count == 1, "\(program.errors.text)")
      #expect(program.errors.lines.first?.contains("getent ahosts name.invalid") == true)
    }
    #expect(other.output.text.isEmpty)
  }

  @Test func `what answers nothing is down when the time is over, not before`() async throws {
    let namespace = try await NetworkNamespace()
    let server = try await Self.server(namespace)
    try await Self.drop(in: namespace)
    let start = ContinuousClock.now
    let monitor = try Self.start(["-t", "1.5"], in: namespace)
    let patient = try Self.start(["-t", "1h"], in: namespace)
    #expect(try await Self.changes(1, of: monitor) == ["False (uptime: T)"])
    #expect(ContinuousClock.now - start >= .milliseconds(1500))
    // The time is that before the attempt.
    let shown = try #require(monitor.output.lines.first)
    #expect(shown.contains("(uptime: 0:00:00") || shown.contains("(uptime: 0:00:01"), "\(shown)")
    for program in [monitor, patient] { #expect(try await program.stop() == .exited(0)) }
    #expect(patient.output.text.isEmpty)
    #expect(server.output.lines == ["listens"])
  }

  @Test func `an interval of zero is the least that is done`() async throws {
    let namespace = try await NetworkNamespace()
    let server = try await Self.server(namespace)
    let start = ContinuousClock.now
    let monitor = try Self.start(["-i", "0", "-t", "0"], in: namespace)
    try await Self.checks(50, at: server)
    // A slow machine makes it longer.
    #expect(ContinuousClock.now - start >= .milliseconds(49 * 10))
    #expect(try await monitor.stop() == .exited(0))
    #expect(monitor.output.text.isEmpty && monitor.errors.text.isEmpty)
  }

  @Test func `without a time limit the kernel says when it is down`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.setSysctl("net.ipv4.tcp_syn_retries", to: "1")
    try await Self.drop(in: namespace)
    let start = ContinuousClock.now
    let monitor = try Self.start(["-t", "0"], in: namespace)
    #expect(try await Self.changes(1, of: monitor) == ["False (uptime: T)"])
    // The default would have been over: a second for the first packet, two for the second.
    #expect(ContinuousClock.now - start >= .milliseconds(2500))
    #expect(try await monitor.stop() == .exited(0))
  }

  @Test func `after a change the next check comes at once`() async throws {
    let namespace = try await NetworkNamespace()
    let server = try await Self.server(namespace)
    // The first packet, a SYN of 60 bytes, is refused.
    try await namespace.nft(
      "table inet lab { chain in { type filter hook input priority 0; tcp dport 7000 quota until 100 bytes reject with tcp reset; }; }"
    )
    let monitor = try Self.start(["-i", "1h", "-m", "0"], in: namespace)
    #expect(try await Self.changes(2, of: monitor) == ["False (uptime: T)", "True (downtime: T)"])
    #expect(try await monitor.stop() == .exited(0))
    #expect(server.output.lines.filter { $0 == "accepted" }.count >= 1)
  }

  @Test func `JSON has a line for each change`() async throws {
    let namespace = try await NetworkNamespace()
    let monitor = try Self.start(["--format", "json", "-m", "1h", "--also", "[::1]:7001"], in: namespace)
    try await monitor.output.first("the begin") { $0.contains("firing") ? () : nil }
    let server = try await Self.server(namespace)
    let lines = try await eventually("two lines") {
      monitor.output.lines.count >= 2 ? monitor.output.lines : nil
    }
    let changes = try lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(changes.map { $0["event"] as? String } == ["outage", "outage"])
    #expect(changes.map { $0["state"] as? String } == ["firing", "resolved"])
    #expect(changes.allSatisfy { $0["subject"] as? String == "127.0.0.1:7000 [::1]:7001" })
    #expect(changes[0]["uptime"] is Double && changes[1]["downtime"] is Double)
    #expect(changes[1]["ignored"] as? Bool == true)
    #expect(try await monitor.stop() == .exited(0))
    withExtendedLifetime(server) {}
  }

  @Test(arguments: [ChildProcess.Output.closed, .brokenPipe])
  func `it ends when nobody reads its lines`(output: ChildProcess.Output) async throws {
    let namespace = try await NetworkNamespace()
    let monitor = try Self.start(in: namespace, output: output)
    #expect(try await monitor.ended() == .exited(0))
    #expect(monitor.errors.text.isEmpty)
  }

  @Test func `it ends when its reader goes, also while there is nothing to say`() async throws {
    let namespace = try await NetworkNamespace()
    let server = try await Self.server(namespace)
    let pipeline = try namespace.start([
      "bash", "-c", "\"$1\" -a 127.0.0.1 -p 7000 -i 1h | { read -t 0.1; }; echo ${PIPESTATUS[0]}", "bash",
      Program.path("netconnmon"),
    ])
    try await Self.checks(1, at: server)
    #expect(try await pipeline.ended() == .exited(0))
    #expect(pipeline.output.lines == ["0"])
  }

  /// Has the reference's packets vanish.
  private static func drop(in namespace: NetworkNamespace) async throws {
    try await namespace.nft(
      "table inet lab { chain in { type filter hook input priority 0; tcp dport 7000 drop; }; }")
  }
}
