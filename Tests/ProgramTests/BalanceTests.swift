import Lab
import Testing

/// A5, A13, A28, A50: the balance against the interfaces, and payload instead of packets.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct BalanceTests {
  /// 4 MiB of packets in frames that go to everyone and that no IP stack sends.
  private static let frames = "packet --interface eth0 --count 4096 --size 1038 --gate --hold"
  private static let frameBytes: UInt64 = 4096 * 1024

  @Test(.eachWitness, .sayingTheWitness)
  func `all categories are conntrack's sum, and with what is untracked that of the interfaces`()
    async throws
  {
    let lab = try await MonitorAccountingTests.readyTopology()
    let before = try await Self.counters(of: lab.a)
    let monitor = try Reporter(["--no-lookback"], in: lab.a)
    try await monitor.report("a first report")
    for kind in [
      TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 16000000"),
      TrafficKind(.server, "udp-serve", "udp HOST PORT --size 1200 --count 4000 --echo"),
      TrafficKind(.both, "tcp-serve", "tcp HOST PORT --send 4000000"),
      TrafficKind(.client, "tcp-serve", "ping HOST --count 100 --size 1008"),
    ] {
      try await kind.run(in: lab).finish()
    }
    let generator = try Traffic(Self.frames, in: lab.a)
    try await generator.connected()
    generator.go()
    _ = try await generator.counted()
    let truth = HostView(try await lab.quietConnections(), addresses: Topology.addressesOfA)
    let report = try await monitor.report("\(truth) and the frames") {
      $0.balance.total.view == truth && $0.balance.untracked.sent >= Self.frameBytes
    }
    #expect(report.balance.sum == truth)
    let wire = try await Self.counters(of: lab.a)
    let moved = HostView(received: wire.received - before.received, sent: wire.sent - before.sent)
    let (untracked, interfaces) = (report.balance.untracked.view, report.balance.interfaces.view)
    for (explained, counted, own) in [
      (truth.received + untracked.received, moved.received, interfaces.received),
      (truth.sent + untracked.sent, moved.sent, interfaces.sent),
    ] {
      #expect(Self.isClose(explained, counted), "\(explained) of \(counted)")
      #expect(Self.isClose(own, counted), "\(own) of \(counted)")
    }
    let coverage = try #require(report.balance.coverage)
    let expected =
      100 * (1 - Double(untracked.received + untracked.sent) / Double(interfaces.received + interfaces.sent))
    #expect(abs(coverage - expected) < 0.01)
    try Self.checkNothingDecreases(monitor)
    try await monitor.stop()
    try await generator.finish()
  }

  @Test func `frames of the only sender are its, relaxed, and no flow's`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(["--witness", "lookup"], in: lab.a)
    let generator = try Traffic(Self.frames, in: lab.a)
    try await generator.connected()
    // Its socket is open at the start of the interval.
    for _ in 0..<2 { try await monitor.nextReport() }
    generator.go()
    _ = try await generator.counted()
    let report = try await monitor.report("\(Self.frameBytes) bytes of \(generator.pid)") {
      $0.usage(pid: generator.pid).sent >= Self.frameBytes * 99 / 100
    }
    #expect(report.row(pid: generator.pid)?.match == "relaxed")
    #expect(report.usage(pid: generator.pid).received == 0)
    try await Self.checkUntracked(report)
    try await monitor.stop()
    try await generator.finish()
  }

  @Test func `frames of one of two senders are nobody's`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(["--witness", "lookup"], in: lab.a)
    let other = try Traffic(Self.frames, in: lab.a)
    let generator = try Traffic(Self.frames, in: lab.a)
    try await other.connected()
    try await generator.connected()
    for _ in 0..<2 { try await monitor.nextReport() }
    generator.go()
    _ = try await generator.counted()
    let report = try await monitor.report("\(Self.frameBytes) untracked bytes") {
      $0.balance.untracked.sent >= Self.frameBytes
    }
    #expect(report.untracked?.usage == report.balance.untracked.view)
    #expect(report.rows.allSatisfy { $0.pid == nil })
    try await Self.checkUntracked(report)
    try await monitor.stop()
    for process in [other, generator] {
      process.go()
      try await process.finish()
    }
  }

  @Test(.needs(.calls)) func `frames that were seen are each sender's`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(in: lab.a)
    try await monitor.report("a first report")
    let idle = try Traffic(Self.frames, in: lab.a)
    try await idle.connected()
    let senders = try [1_000, 3_000].map {
      try Traffic("packet --interface eth0 --count \($0) --size 1014", in: lab.a)
    }
    for sender in senders {
      _ = try await sender.counted()
      try await sender.finish()
    }
    let report = try await monitor.report("all frames") { report in
      report.rows.filter { $0.name.contains("--size 1014") }.reduce(0) { $0 + $1.sent } >= 4_000_000
    }
    for (sender, count) in zip(senders, [1_000, 3_000] as [UInt64]) {
      let row = try #require(
        report.row(pid: sender.pid) ?? report.ended("--count \(count) --size 1014"), "\(report.rows)")
      #expect(row.sent == count * 1_000 && row.received == 0 && row.match == "exact" && row.layer == nil)
    }
    #expect(report.row(pid: idle.pid) == nil)
    #expect(report.balance.total.sent < Self.frameBytes / 100)
    try await monitor.stop()
    idle.go()
    try await idle.finish()
  }

  /// A28: what a bridge passes, as for a virtual machine, came in and left again: nobody here sent it.
  @Test func `bridged frames are untracked, and not the only sender's`() async throws {
    let left = try await NetworkNamespace()
    let host = try await NetworkNamespace()
    let right = try await NetworkNamespace()
    try await host.ip("link add br0 up type bridge")
    for (number, guest) in [(1, left), (2, right)] {
      try await run(
        "ip link add eth0 netns \(guest.name) type veth peer name port\(number) netns \(host.name)")
      try await host.ip("link set port\(number) master br0 up")
      try await guest.ip("link set eth0 up")
      try await guest.ip("addr add 198.51.100.\(number)/24 dev eth0")
    }
    try await host.trackConnections()
    // Where br_netfilter is loaded the bridge asks netfilter, and these are forwarded flows.
    _ = try? await host.setSysctl("net.bridge.bridge-nf-call-iptables", to: "0")
    let sender = try Traffic("packet --interface port1 --count 1 --gate --hold", in: host)
    try await sender.connected()
    let monitor = try Reporter(in: host)
    for _ in 0..<3 { try await monitor.nextReport() }
    let server = try Traffic("tcp-serve", in: right)
    let client = try Traffic("tcp 198.51.100.2 \(try await server.ready()) --send 4000000 --hold", in: left)
    _ = try await client.counted()
    let report = try await monitor.report("4,000,000 untracked bytes") {
      $0.balance.untracked.received >= 4_000_000 && $0.balance.untracked.sent >= 4_000_000
    }
    #expect(Self.isClose(report.balance.untracked.sent, report.balance.untracked.received))
    #expect(report.usage(pid: sender.pid).sent < 40_000)
    #expect(report.rows.allSatisfy { $0.pid == nil || $0.pid == sender.pid })
    #expect(report.balance.total.sent < 40_000)
    try await monitor.stop()
    sender.go()
    try await sender.finish()
    try await client.finish()
    try await server.finish()
  }

  @Test(arguments: ["runmonitor", "runaggregator"])
  func `payload of UDP is exact, of TCP within one per cent`(program: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(["--layer=payload"], program: program, in: lab.a)
    try await monitor.report("a first report") { $0.layer == "payload" }
    let datagrams = try await TrafficKind(.client, "udp-serve", "udp HOST PORT --size 64 --count 65536")
      .run(in: lab)
    #expect(datagrams.count.sent == 4_194_304)
    try await monitor.report("65,536 datagrams of 64 bytes") {
      $0.balance.total.sent == 4_194_304 && $0.balance.total.received == datagrams.count.received
    }
    let bulk = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 32000000").run(in: lab)
    _ = try await lab.quietConnections()
    let report = try await monitor.report("32,000,000 bytes in bulk") {
      $0.balance.total.sent >= 4_194_304 + bulk.count.sent
    }
    let counted = try await monitor.nextReport().balance.total.sent - 4_194_304
    let sent = bulk.count.sent + bulk.count.retransmitted
    #expect(abs(Double(counted) - Double(sent)) < Double(sent) / 100, "\(counted) of \(sent)")
    // The interfaces are still compared with whole packets.
    #expect(try #require(report.balance.coverage) > 98)
    try await monitor.stop()
    try await datagrams.finish()
    try await bulk.finish()
  }

  /// Within 2 %, or a few packets of neighbour discovery.
  private static func isClose(_ left: UInt64, _ right: UInt64) -> Bool {
    abs(Double(left) - Double(right)) <= max(Double(right) * 0.02, 4000)
  }

  /// No flow has the frames, and rows and balance agree.
  private static func checkUntracked(_ report: Report) async throws {
    #expect(report.balance.total.sent < frameBytes / 100)
    #expect(report.balance.untracked.sent < frameBytes * 101 / 100)
    let rows = (report.rows + [report.untracked].compactMap(\.self)).reduce(0) { $0 + $1.received + $1.sent }
    let balance = report.balance
    #expect(
      rows
        == balance.total.received + balance.total.sent + balance.untracked.received + balance.untracked.sent)
  }

  private static func checkNothingDecreases(_ monitor: Reporter) throws {
    let reports = try monitor.reports()
    #expect(reports.count > 1)
    for (earlier, later) in zip(reports, reports.dropFirst()) {
      #expect(later.balance.untracked.received >= earlier.balance.untracked.received)
      #expect(later.balance.untracked.sent >= earlier.balance.untracked.sent)
      #expect(later.balance.interfaces.sent >= earlier.balance.interfaces.sent)
    }
  }

  /// What /proc/net/dev says that loopback and the wire moved, as packets: without 14 bytes for each frame of the wire.
  private static func counters(of host: NetworkNamespace) async throws -> HostView {
    var view = HostView()
    for line in try await host.run("cat /proc/net/dev").split(separator: "\n").dropFirst(2) {
      let words = line.split { $0 == " " || $0 == ":" }
      let numbers = words.dropFirst().compactMap { UInt64($0) }
      let header: UInt64 = words[0] == "lo" ? 0 : 14
      view.received += numbers[0] - header * numbers[1]
      view.sent += numbers[8] - header * numbers[9]
    }
    return view
  }
}
