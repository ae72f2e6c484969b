import Foundation
import Lab
import Testing

/// What connmonitor's records say of the network before it.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct ConnMonitorProbeTests {
  @Test(arguments: ["10.9.0.5", "fd09:2::5"])
  func `over many bursts what is lost is what the network lost`(target: String) async throws {
    let site = try await ProbeSite("[target \(target)]\nloss = 30\nduplicate = 5\nreorder = 25 15")
    // Two lines for one address, each with its own replies.
    let monitor = try Monitor(
      "\(target) ping=100 numpings=20 json=true\n\(target) ping=150 numpings=10 timestamp=false json=true",
      in: site.host)
    try await eventually("records", state: { monitor.process.errors.text }) {
      try monitor.records().count >= 30 ? () : nil
    }
    #expect(try await monitor.endsWell())
    let counters = try await site.network.counters("the end of all answers") { $0.waiting == 0 }
    let counts = try #require(counters.targets[target])
    let received = try monitor.records().reduce(0.0) { sum, record in
      let requests = record.timestamp == nil ? 10.0 : 20
      return sum + (requests - requests * (record.ping?.loss ?? 100) / 100).rounded()
    }
    let sent = try monitor.records().reduce(0) { $0 + ($1.timestamp == nil ? 10 : 20) }
    #expect(counts.received == sent)
    #expect(Int(received) == counts.answered, "\(counts)")
  }

  @Test(arguments: [("10.9.0.5", "10.9.1."), ("fd09:2::5", "fd09:1::")], ["checksum", "identifier"])
  func `of several paths all traces take one`(way: (target: String, hop: String), hash: String) async throws {
    let path = (1...8).map { "\(way.hop)1 \(way.hop)1\($0)" }.joined(separator: " | ")
    let site = try await ProbeSite("[target \(way.target)]\npath = \(path)", settings: "hash = \(hash)")
    let monitor = try Monitor("\(way.target) ping=0 trace=1 json=true timestamp=false", in: site.host)
    // A trace asks each hop once.
    try await site.network.counters("a hundred traces") { $0.hops["\(way.hop)1"]?.received ?? 0 > 100 }
    #expect(try await monitor.endsWell())
    let records = try monitor.records()
    #expect(records.count == 1, "\(records.map(\.path))")
    let counters = try await site.network.counters()
    #expect(counters.hops.filter { $0.key != "\(way.hop)1" && $0.value.received > 0 }.count == 1)
  }

  @Test func `a hop that falls silent and comes back is no change, another router is`() async throws {
    let site = try await ProbeSite(
      "[target 10.9.0.5]\npath = 10.9.1.1 10.9.1.2 10.9.1.3\n[hop 10.9.1.2]\ndelay = 1")
    let monitor = try Monitor("10.9.0.5 ping=0 trace=50 json=true", in: site.host)
    try await monitor.record("the first route")
    func hop() async throws -> FakeNetwork.Counts {
      try #require(try await site.network.counters().hops["10.9.1.2"])
    }
    try await site.network.set("hop 10.9.1.2 silent on")
    let quiet = try await hop().ignored
    // Each trace asks a silent hop twice: two whole traces, and a third.
    try await site.network.counters("silent traces") { $0.hops["10.9.1.2"]?.ignored ?? 0 >= quiet + 5 }
    try await site.network.set("hop 10.9.1.2 silent off")
    let answered = try await hop().answered
    try await site.network.counters("more traces") { $0.hops["10.9.1.2"]?.answered ?? 0 >= answered + 5 }
    #expect(try monitor.records().map(\.path) == [["10.9.1.1", "10.9.1.2", "10.9.1.3", "10.9.0.5"]])
    try await site.network.set("hop 10.9.1.2 address 10.9.7.7")
    try await monitor.record("the new route", from: 1)
    let moved = try await hop().answered
    try await site.network.counters("more traces") { $0.hops["10.9.1.2"]?.answered ?? 0 >= moved + 5 }
    #expect(try await monitor.endsWell())
    let paths = try monitor.records().map(\.path)
    #expect(paths.count == 2 && paths.last == ["10.9.1.1", "10.9.7.7", "10.9.1.3", "10.9.0.5"], "\(paths)")
  }

  @Test func `a scan is written each time, also beside a MySQL server`() async throws {
    let host = try await NetworkNamespace()
    let services = try await Services(["mysql"], in: host)
    let monitor = try Monitor("127.0.0.1 ping=0 scan=50 timestamp=false", in: host)
    let output = monitor.process.output
    try await eventually("records", state: { monitor.process.errors.text }) {
      output.lines.count >= 6 ? () : nil
    }
    #expect(try await monitor.endsWell())
    let scans = output.lines.enumerated().filter { $0.offset % 2 == 1 && !$0.element.isEmpty }.map(\.element)
    #expect(
      !scans.isEmpty && scans.allSatisfy { $0.wholeMatch(of: #/None\tNone\t\d+\.\d{3}, 5\.7\.2/#) != nil },
      "\(scans)")
    #expect(services.connections("mysql") >= 3)
    // Each closed port once, however often it was asked.
    let said = monitor.process.errors.lines
    for port in [80, 443] {
      let line = "WW: Could not connect to 127.0.0.1:\(port) - Connection refused -\t "
      #expect(said.filter { $0.hasPrefix(line) }.count == 1, "\(said)")
    }
    #expect(said.count == 2, "\(said)")
  }

  @Test func `any user monitors where the sysctl permits it, and is told what to do where not`() async throws
  {
    let host = try await NetworkNamespace()
    let copy = try await CopyForEveryone(of: "connmonitor")
    let lines = "127.0.0.1 ping=50 numpings=2 trace=50 json=true"
    let able = try Monitor(lines, in: host, as: CopyForEveryone.nobody, program: copy.path)
    try await able.record("a ping") { $0.ping?.loss == 0 }
    try await able.record("a trace") { $0.path == ["127.0.0.1"] }
    #expect(try await able.endsWell())
    #expect(able.process.errors.text.isEmpty, "\(able.process.errors.text)")
    try await host.closePingSockets()
    let unable = try Monitor(lines, in: host, as: CopyForEveryone.nobody, program: copy.path)
    try await unable.record("a loss") { $0.ping?.loss == 100 }
    try await unable.record("another", from: try unable.records().count) { $0.ping?.loss == 100 }
    #expect(try await unable.endsWell())
    // UDP does for traces.
    #expect(try unable.records().contains { $0.path == ["127.0.0.1"] })
    let said = unable.process.errors.lines.filter { $0.hasPrefix("EE: PermissionError: ") }
    #expect(said.count == 1, "\(said)")
    for part in ["ping_group_range", "setcap cap_net_raw+ep", "traces use UDP"] {
      #expect(said.first?.contains(part) == true, "\(said)")
    }
  }

  @Test func `traces of UDP give their sockets back`() async throws {
    let site = try await ProbeSite(
      "[target 10.9.0.5]\npath = 10.9.1.1 10.9.1.2 10.9.1.3\n[hop 10.9.1.2]\nsilent = yes")
    try await site.host.closePingSockets()
    let copy = try await CopyForEveryone(of: "connmonitor")
    let monitor = try Monitor(
      "10.9.0.5 ping=0 trace=1 json=true", in: site.host, as: CopyForEveryone.nobody, program: copy.path)
    try await monitor.record("a trace") { $0.path == ["10.9.1.1", "*", "10.9.1.3", "10.9.0.5"] }
    let folder = "/proc/\(monitor.process.pid)/fd"
    func sockets() throws -> Set<String> {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      // One may be closed meanwhile.
      let links = names.compactMap {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
      }
      return Set(links.filter { $0.hasPrefix("socket:") })
    }
    // Among these are sockets of other tests, which a child inherits.
    let before = try sockets()
    try await site.network.set("hop 10.9.1.2 silent off")
    let seen = try await site.network.counters().hops["10.9.1.1"]?.received ?? 0
    try await site.network.counters("a hundred traces") { $0.hops["10.9.1.1"]?.received ?? 0 > seen + 100 }
    let new = try sockets().subtracting(before)
    #expect(new.count < 50, "\(new)")
    #expect(try await monitor.endsWell())
    let paths = try monitor.records().map(\.path)
    #expect(paths.count == 1, "\(paths)")
  }
}
