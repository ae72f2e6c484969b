import Foundation
import Glibc
import Lab
import Testing

/// connmonitor's file, signals and end.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct ConnMonitorTests {
  @Test func `without IPv6 records come`() async throws {
    let host = try await NetworkNamespace()
    try await host.setSysctl("net.ipv6.conf.all.disable_ipv6", to: "1")
    let monitor = try Monitor(
      "127.0.0.1 ping=100 json=true\n::1 ping=100 numpings=1 json=true\nlocalhost ping=0 trace=100 json=true",
      in: host)
    try await monitor.record("a ping") { $0.addr == "127.0.0.1" && $0.ping?.loss == 0 }
    try await monitor.record("a loss") { $0.addr == "::1" && $0.ping?.loss == 100 }
    try await monitor.record("a trace") { $0.name == "localhost" && $0.path == ["127.0.0.1"] }
    #expect(try await monitor.endsWell())
  }

  @Test func `SIGHUP replaces the targets; a wrong file changes nothing; one that is gone ends it`()
    async throws
  {
    let host = try await NetworkNamespace()
    let monitor = try Monitor(
      "127.0.0.1 ping=50 numpings=1 json=true\n127.0.0.9 ping=50 numpings=1 json=true", in: host)
    try await monitor.record("the first target") { $0.addr == "127.0.0.1" }
    try monitor.reload("127.0.0.2 ping=50 numpings=1 json=true\n127.0.0.9 ping=50 numpings=1 json=true")
    try await monitor.record("the second target") { $0.addr == "127.0.0.2" }
    let records = try monitor.records()
    let first = try #require(records.firstIndex { $0.addr == "127.0.0.2" })
    try await monitor.record("the target that stays", from: first) { $0.addr == "127.0.0.9" }
    #expect(try monitor.records().dropFirst(first).allSatisfy { $0.addr != "127.0.0.1" })

    try monitor.reload("127.0.0.3 ping=50 json=true\n127.0.0.4 ping=50 bogus=1")
    let said = try await monitor.message("bogus")
    #expect(said.hasPrefix("EE: OSError: \(monitor.file):2: unknown option \"bogus\""), "\(said)")
    try await monitor.message("\(monitor.file) is wrong: the list that was read before stays in force.")
    let seen = try monitor.records().count
    try await monitor.record("the target from before", from: seen) { $0.addr == "127.0.0.2" }
    #expect(try monitor.records().allSatisfy { !["127.0.0.3", "127.0.0.4"].contains($0.addr) })

    // A list without a host that can be used changes nothing either, and says so.
    try monitor.reload("name.invalid ping=50 json=true")
    let none = try await monitor.message("No hosts could be parsed!")
    #expect(
      none.contains(
        " \(monitor.file) has none that can be used: the list that was read before stays in force."),
      "\(none)")
    let later = try monitor.records().count
    try await monitor.record("the target from before", from: later) { $0.addr == "127.0.0.2" }

    try FileManager.default.removeItem(atPath: monitor.file)
    monitor.process.signal(SIGHUP)
    #expect(try await monitor.process.ended() == .exited(1))
    #expect(monitor.process.output.lines.last == "")
    let last = try #require(monitor.process.errors.lines.last)
    #expect(last.hasPrefix("EE: FileNotFoundError: Couldn't read input file '[Errno 2] "), "\(last)")
  }

  /// A file that only another user could open, and a socket, which nobody can.
  @Test func `standard input is read as it was given`() async throws {
    let host = try await NetworkNamespace()
    let copy = try await CopyForEveryone(of: "connmonitor")
    let folder = try ScratchFolder()
    let file = try folder.write("127.0.0.1\n", to: "hosts", permissions: 0o600)
    let nobody = CopyForEveryone.nobody.joined(separator: " ")
    #expect(
      try await host.run(["sh", "-c", "\(nobody) \(copy.path) --check-config < \(file)"])
        == "standard input is valid\n")
    let script =
      "import socket, subprocess, sys; a, b = socket.socketpair(); a.sendall(b'127.0.0.1\\n'); a.close(); "
      + "sys.exit(subprocess.run([sys.argv[1], '--check-config'], stdin=b).returncode)"
    #expect(try await host.run(["python3", "-c", script, copy.path]) == "standard input is valid\n")
  }

  /// The original takes the time as it prints: a burst that waits for lost replies is later than one that began after it.
  @Test func `timestamps are in the order of the records`() async throws {
    let host = try await NetworkNamespace()
    try await host.nft(
      "table inet lab { chain in { type filter hook input priority 0; ip daddr 127.0.0.9 drop; }; }")
    let monitor = try Monitor(
      "127.0.0.1 ping=50 numpings=1 json=true\n127.0.0.9 ping=50 numpings=1 json=true", in: host)
    try await monitor.record("a loss") { $0.addr == "127.0.0.9" && $0.ping?.loss == 100 }
    #expect(try await monitor.endsWell())
    let times = try monitor.records().map { try #require($0.timestamp) }
    #expect(times.count > 2 && times == times.sorted(), "\(times)")
  }

  @Test func `names of a list that is out of date change nothing, whenever they are found`() async throws {
    let host = try await NetworkNamespace()
    let folder = "/etc/netns/\(host.name)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n".write(
      toFile: "\(folder)/resolv.conf", atomically: true, encoding: .utf8)
    // It has no name, and says so when it is told to.
    let server = try host.start([
      "python3", "-uc",
      """
      import socket, sys, threading
      server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      server.bind(('127.0.0.1', 53))
      print('listens')
      told = threading.Event()
      threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
      while True:
        query, who = server.recvfrom(4096)
        print('asked')
        def answer(query=query, who=who):
          told.wait()
          server.sendto(query[:2] + b'\\x81\\x83' + query[4:6] + bytes(6) + query[12:], who)
          # In one piece: two threads may answer at once.
          sys.stdout.write('answered\\n')
        threading.Thread(target=answer, daemon=True).start()
      """,
    ])
    try await server.output.first("its start") { $0 == "listens" ? () : nil }
    func line(_ address: String) -> String { "\(address) ping=20 numpings=1 json=true" }
    let monitor = try Monitor(line("127.0.0.1"), in: host)
    try await monitor.record("a record")
    try monitor.reload("\(line("slow.test"))\n\(line("127.0.0.2"))")
    try await server.output.first("the question") { $0 == "asked" ? () : nil }
    try monitor.reload(line("127.0.0.3"))
    try await monitor.record("the last list") { $0.addr == "127.0.0.3" }
    server.write("answer\n")
    try await server.output.first("the answer") { $0 == "answered" ? () : nil }
    let seen = try monitor.records().count
    try await eventually("records", state: { monitor.process.errors.text }) {
      try monitor.records().count > seen + 20 ? () : nil
    }
    #expect(try await monitor.endsWell())
    #expect(try monitor.records().allSatisfy { $0.addr != "127.0.0.2" })
    #expect(monitor.process.errors.text.isEmpty)
  }

  @Test func `a list from standard input cannot be read again, and life goes on`() async throws {
    let host = try await NetworkNamespace()
    let process = try host.start([Program.path("connmonitor")])
    process.write("127.0.0.1 ping=50 numpings=1 json=true\n")
    process.closeInput()
    try await process.output.first("a record") { $0.contains("127.0.0.1") ? () : nil }
    process.signal(SIGHUP)
    let said = try await process.errors.first("what is said") { $0 }
    #expect(
      said.hasPrefix("EE: OSError: No input file to read! (input given on stdin) -\t"), "\(said)")
    try await process.output.first("a record", from: process.output.lines.count) { $0.isEmpty ? nil : () }
    #expect(try await process.stop() == .exited(0))
    #expect(process.output.lines.last == "")
  }

  @Test func `a target without a way is lost, goes on, and recovers`() async throws {
    let site = try await ProbeSite("[target 10.9.0.5]")
    try await site.host.ip("route add unreachable 10.9.0.5")
    let monitor = try Monitor("10.9.0.5 ping=50 numpings=2 timestamp=false", in: site.host)
    let output = monitor.process.output
    let loss = "-1.000\t-1.000\t-1.000\t-1.000\t100.000"
    func next(_ isWanted: (String) -> Bool) async throws {
      try await output.first("a line", from: output.lines.count) {
        $0.contains("\t") && isWanted($0) ? () : nil
      }
    }
    try await next { $0 == loss }
    try await next { $0 == loss }
    try await site.host.ip("route del unreachable 10.9.0.5")
    try await next { $0.hasSuffix("\t0.000") }
    try await site.host.ip("route add unreachable 10.9.0.5")
    try await next { $0 == loss }
    try await next { $0 == loss }
    try await site.host.ip("route del unreachable 10.9.0.5")
    try await next { $0.hasSuffix("\t0.000") }
    // Once for each time, not for each burst.
    let said = monitor.process.errors.lines
    #expect(said.count == 2 && said.allSatisfy { $0.hasPrefix("WW: 10.9.0.5: ") }, "\(said)")
    #expect(try await monitor.endsWell())
  }

  @Test(arguments: [
    ("link set eth0 down", "link set eth0 up"),
    ("addr del 10.77.1.1/24 dev eth0", "addr add 10.77.1.1/24 dev eth0"),
  ])
  func `an interface that goes and comes back is a loss, said once each time`(gone: String, back: String)
    async throws
  {
    let lab = try await Topology()
    let monitor = try Monitor("10.77.1.2 ping=50 numpings=2 json=true", in: lab.a)
    func next(_ awaited: String, loss: Double) async throws {
      let seen = try monitor.records().count
      try await monitor.record(awaited, from: seen) { $0.ping?.loss == loss }
    }
    try await next("a reply", loss: 0)
    for _ in 0..<2 {
      try await lab.a.ip(gone)
      try await next("a loss", loss: 100)
      try await next("another loss", loss: 100)
      try await lab.a.ip(back)
      try await next("a reply again", loss: 0)
    }
    let said = monitor.process.errors.lines
    #expect(said.count == 2 && said.allSatisfy { $0.hasPrefix("WW: 10.77.1.2: ") }, "\(said)")
    #expect(try await monitor.endsWell())
  }

  @Test(
    arguments: [SIGTERM, SIGINT],
    [
      ("ping=0 trace=3600000 hops=4", "silent = yes", "*\t*\t*\t*"),
      ("ping=3600000 numpings=20", "silent = yes", "-1.000\t-1.000\t-1.000\t-1.000\t100.000"),
      ("ping=0 scan=3600000", "delay = 700", "None\tNone\tNone"),
    ])
  func `a signal lets what runs be finished and written`(
    signal: Int32, probe: (options: String, target: String, record: String)
  ) async throws {
    let site = try await ProbeSite(
      "[target 10.9.0.5]\n\(probe.target)\npath = 10.9.1.1\n[hop 10.9.1.1]\nsilent = yes")
    let monitor = try Monitor("10.9.0.5 \(probe.options) timestamp=false", in: site.host)
    try await site.network.counters("requests") {
      $0.hops["10.9.1.1"].map { $0.received + $0.forwarded > 0 } ?? false
    }
    #expect(try await monitor.process.stop(signal) == .exited(0))
    let lines = monitor.process.output.lines
    #expect(
      lines.last == "" && lines.dropFirst().dropLast().joined(separator: "\t") == probe.record, "\(lines)")
    // A burst or a scan that was cut short would look the same.
    let hop = try await site.network.counters().hops["10.9.1.1"]
    if probe.options.hasPrefix("ping=3600000") { #expect((hop?.received ?? 0) + (hop?.forwarded ?? 0) == 20) }
    let refusals = monitor.process.errors.lines.count { $0.contains("Connection refused") }
    #expect(refusals == (probe.options.contains("scan") ? 3 : 0), "\(monitor.process.errors.text)")
  }

  @Test func `a second signal ends it at once`() async throws {
    let site = try await ProbeSite("[target 10.9.0.5]\nsilent = yes")
    // It has requests for as many seconds.
    let monitor = try Monitor("10.9.0.5 ping=1 numpings=60000 json=true", in: site.host)
    func sent() async throws -> Int { try await site.network.counters().targets["10.9.0.5"]?.received ?? 0 }
    try await site.network.counters("requests") { $0.targets["10.9.0.5"]?.received ?? 0 > 5 }
    monitor.process.signal(SIGTERM)
    let before = try await sent()
    try await site.network.counters("more requests") { $0.targets["10.9.0.5"]?.received ?? 0 > before + 20 }
    #expect(monitor.process.status == nil)
    #expect(try await monitor.endsWell())
    #expect(try await sent() < 60_000)
  }

  @Test(arguments: [ChildProcess.Output.closed, .brokenPipe])
  func `it ends quietly when nobody reads`(output: ChildProcess.Output) async throws {
    let host = try await NetworkNamespace()
    let monitor = try Monitor("127.0.0.1 ping=50 numpings=1", in: host, output: output)
    #expect(try await monitor.process.ended() == .exited(0))
    #expect(monitor.process.errors.text.isEmpty)
  }

  @Test(arguments: [
    ("name.invalid ping=50", "EE: Exception: No hosts could be parsed! -\t"),
    ("", "EE: Exception: No hosts could be parsed! -\t"),
    ("127.0.0.1 ping=x", "EE: OSError: FILE:1: ping=\"x\" must be "),
    ("127.0.0.1 ping=0", "EE: OSError: FILE:1: nothing is asked"),
  ])
  func `with nothing to do it ends with 1`(text: String, said: String) async throws {
    let host = try await NetworkNamespace()
    let monitor = try Monitor(text, in: host)
    #expect(try await monitor.process.ended() == .exited(1))
    let last = try #require(monitor.process.errors.lines.last)
    #expect(last.hasPrefix(said.replacing("FILE", with: monitor.file)), "\(last)")
  }

  @Test func `wrong flags end it with 64, a file that is not there with 1`() async throws {
    let host = try await NetworkNamespace()
    for (words, status, said) in [
      (["--bogus"], Int32(64), "Usage: connmonitor"), (["a", "b"], 64, "Usage: connmonitor"),
      (
        ["/nowhere/file"], 1,
        "EE: FileNotFoundError: Couldn't read input file '[Errno 2] No such file or directory: '/nowhere/file'' -\t"
      ),
    ] {
      let child = try host.start([Program.path("connmonitor")] + words)
      #expect(try await child.ended() == .exited(status))
      #expect(child.errors.text.contains(said), "\(child.errors.text)")
    }
    for flag in ["-v", "-V", "--version"] {
      let child = try host.start([Program.path("connmonitor"), flag])
      #expect(try await child.ended() == .exited(0))
      #expect(
        child.output.text.hasPrefix("connmonitor Version 4.1.3 (bwmon "), "\(flag): \(child.errors.text)")
    }
  }

  @Test func `some hosts of which one has no address`() async throws {
    let host = try await NetworkNamespace()
    let monitor = try Monitor("name.invalid ping=50\n127.0.0.1 ping=50 json=true", in: host)
    try await monitor.record("the other") { $0.addr == "127.0.0.1" }
    try await monitor.message("EE: Exception: Unable to resolve host ( name.invalid ) -\t")
    #expect(try await monitor.endsWell())
  }

  @Test func `a thousand targets start`() async throws {
    let host = try await NetworkNamespace()
    let addresses = (0..<1000).map { "127.1.\($0 / 250).\($0 % 250 + 1)" }
    let monitor = try Monitor(
      addresses.map { "\($0) ping=3600000 numpings=2 json=true" }.joined(separator: "\n"), in: host)
    try await eventually("all records", state: { "\(monitor.process.output.lines.count)" }) {
      monitor.process.output.lines.count == addresses.count ? () : nil
    }
    let records = try monitor.records()
    #expect(Set(records.map(\.addr)) == Set(addresses))
    #expect(records.allSatisfy { $0.ping?.loss == 0 })
    #expect(try await monitor.endsWell())
  }
}
