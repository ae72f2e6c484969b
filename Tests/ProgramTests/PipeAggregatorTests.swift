import Foundation
import Lab
import Testing

/// Pipes in runaggregator: `type=pipe` of the monitor configuration.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeAggregatorTests {
  private func section(_ port: Int, _ more: String = "") -> String {
    "[pipe \(port)]\ntype=pipe\nport=\(port)\nnewhost=127\\.0\\.0\\.1\nnewport=9000\n\(more)\n"
  }

  private func start(_ folder: ScratchFolder, _ lab: Topology) async throws -> Reporter {
    try await lab.a.trackConnections()
    return try Reporter(
      ["--monitor-config", "\(folder.path)/monitors", "--app-config", "\(folder.path)/apps"],
      program: "runaggregator", in: lab.a)
  }

  @Test func `a pipe is an application that rules group, with its bytes to the byte`() async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(section(8080), to: "monitors")
    try folder.write("[The pipe]\nrule=^pipe-8080:\n", to: "apps")
    let aggregator = try await start(folder, lab)
    try await aggregator.report("a first report")
    #expect(aggregator.process.errors.text.contains("is a regular expression, taken as 127.0.0.1"))
    try await PipePeer.run("transfer", ["1000000"], in: lab.a)
    try await aggregator.report("all bytes") {
      $0.row(named: "The pipe")?.usage == HostView(received: 1_000_000, sent: 1_000_000)
    }
    #expect(try aggregator.reports().allSatisfy { $0.balance.sum == $0.balance.total.view })
    try await aggregator.stop()
  }

  @Test func `a reload adds, removes and limits pipes without touching the others`() async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(section(8080) + section(8081), to: "monitors")
    try folder.write(
      "[first]\nrule=^pipe-8080\n[second]\nrule=^pipe-8081\n[third]\nrule=^pipe-882\n", to: "apps")
    let aggregator = try await start(folder, lab)
    try await aggregator.report("a first report")
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let kept = try PipePeer("hold", target: "-", ["1", "1"], in: lab.a)
    let removed = try PipePeer("hold", pipe: "127.0.0.1:8081", target: "-", ["1", "1"], in: lab.a)
    try await kept.said("open")
    try await removed.said("open")
    try await aggregator.report("both") { $0.row(named: "first") != nil && $0.row(named: "second") != nil }

    try folder.write(section(8080, "shape_threshold=20") + section(882), to: "monitors")
    aggregator.process.signal(SIGHUP)
    _ = try await aggregator.process.errors.first("the reload") { $0.contains("read again") ? $0 : nil }
    // Its connection is cut, the other goes on under the new limit, and the new one works, also below port 1024.
    #expect(try await removed.process.ended() != .exited(0))
    #expect(
      aggregator.process.errors.text.contains(
        "pipe-8081:127.0.0.1:9000 is no longer configured as it was: cut 1 open connection"),
      "\(aggregator.process.errors.text)")
    try await PipePeer.run("ask", pipe: "127.0.0.1:882", target: "-", ["3"], in: lab.a)
    try await aggregator.report("the new pipe") {
      $0.row(named: "third")?.usage == HostView(received: 24, sent: 24)
    }
    try await aggregator.report("a rate below the limit, but not zero") {
      let rate = $0.row(named: "first")?.receivedRate ?? 0
      return rate > 1000 && rate < 41_000
    }
    #expect(kept.process.status == nil)

    try folder.write(section(8080) + section(8080).replacing("[pipe", with: "[again"), to: "monitors")
    aggregator.process.signal(SIGHUP)
    _ = try await aggregator.process.errors.first("why not") { $0.contains("stays in force") ? $0 : nil }
    try await PipePeer.run("ask", pipe: "127.0.0.1:882", target: "-", ["3"], in: lab.a)
    try await kept.finished()
    try await aggregator.stop()
  }

  @Test func `pipes alone need no connection table, and a monitor may join them`() async throws {
    // Nothing tracks connections here.
    let host = try await NetworkNamespace()
    let folder = try ScratchFolder()
    try folder.write(section(8080), to: "monitors")
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors", "--auto-group", "--witness", "lookup"],
      program: "runaggregator", in: host)
    try await aggregator.report("a first report")
    try await PipePeer.run("transfer", ["1000000"], in: host)
    let both = HostView(received: 1_000_000, sent: 1_000_000)
    let report = try await aggregator.report("all bytes") { $0.balance.total.view == both }
    #expect(report.balance.attributed.view == both && report.rows.map(\.usage) == [both])

    try folder.write(section(8080) + "[m]\ntype=monitor\n", to: "monitors")
    aggregator.process.signal(SIGHUP)
    _ = try await aggregator.process.errors.first("why not") { $0.contains("stays in force") ? $0 : nil }
    try await host.trackConnections()
    aggregator.process.signal(SIGHUP)
    _ = try await aggregator.process.errors.first("the reload") { $0.contains("read again") ? $0 : nil }
    try await PipePeer.run("transfer", ["1000000"], in: host)
    try await aggregator.report("its peers' bytes too") {
      $0.balance.total.received > 4_000_000 && $0.row(named: "python3") == nil && $0.rows.count > 1
    }
    try await aggregator.stop()
  }

  @Test func `pipes alone need no privilege`() async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(section(8080), to: "monitors")
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"], program: "runaggregator", in: lab.a,
      wrapper: ["setpriv", "--bounding-set=-all", "--inh-caps=-all"])
    try await aggregator.report("a first report")
    try await PipePeer.run("transfer", ["1000"], in: lab.a)
    try await aggregator.report("all bytes") {
      $0.rows.map(\.usage) == [HostView(received: 1000, sent: 1000)]
    }
    try await aggregator.stop()
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal cuts what is open, and the last report has all of it`(signal: Int32) async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(section(8080), to: "monitors")
    // No report comes between the first and the last.
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"], program: "runaggregator", interval: "3600", in: lab.a)
    try await aggregator.report("a first report")
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    _ = try await eventually("some bytes") { peer.process.output.lines.count > 3 ? true : nil }
    #expect(try await aggregator.process.stop(signal) == .exited(0))
    #expect(try await peer.process.ended() != .exited(0))
    let delivered = try #require(peer.process.output.lines.compactMap { UInt64($0) }.last)
    #expect(try aggregator.reports().count == 2)
    #expect(try #require(try aggregator.reports().last?.rows.first).received >= delivered)
  }

  @Test(arguments: [("60", 0), ("0.5", 75)] as [(String, Int32)])
  func `SIGTERM lets open connections end for the time that is given`(time: String, status: Int32)
    async throws
  {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(section(8080), to: "monitors")
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors", "--drain-timeout", time], program: "runaggregator",
      in: lab.a)
    try await aggregator.report("a first report")
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    try await peer.said("open")
    aggregator.process.signal(SIGTERM)
    if status == 0 {
      let seen = peer.process.output.lines.count
      _ = try await eventually("more bytes") { peer.process.output.lines.count > seen + 20 ? true : nil }
      try await peer.finished()
    }
    #expect(try await aggregator.process.ended() == .exited(status))
    #expect((try await peer.process.ended() == .exited(0)) == (status == 0))
    let delivered = try #require(peer.process.output.lines.compactMap { UInt64($0) }.last)
    #expect(try #require(try aggregator.reports().last?.rows.first).received >= delivered)
  }

  @Test func `reports and alerts go on while it drains`() async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(section(8080), to: "monitors")
    try folder.write("[The pipe]\nrule=^pipe-8080:\n", to: "apps")
    try folder.write(
      "[much]\nprocess_filter=The pipe\nin_threshold=1\ninterval=0.2\nnotification_command=true\n",
      to: "limits")
    let aggregator = try Reporter(
      [
        "--monitor-config", "\(folder.path)/monitors", "--app-config", "\(folder.path)/apps",
        "--notification-config", "\(folder.path)/limits", "--drain-timeout", "600",
      ], program: "runaggregator", in: lab.a)
    try await aggregator.report("a first report")
    func alerts(_ state: String) -> Int {
      aggregator.process.output.lines.count { $0.contains("\"state\":\"\(state)\"") }
    }
    func wait(_ awaited: String, until isMet: () throws -> Bool) async throws {
      _ = try await eventually(awaited, state: { aggregator.state }) { try isMet() ? true : nil }
    }
    let peer = try PipePeer("drip", ["1000"], in: lab.a)
    // It may end and come again whenever the drip has a pause.
    try await wait("an alert") { alerts("firing") > 0 }
    aggregator.process.signal(SIGTERM)
    try await PipePeer.refused(in: lab.a)
    let seen = try aggregator.reports().count
    try await wait("reports") { try aggregator.reports().count > seen + 3 }
    peer.process.signal(SIGSTOP)
    try await wait("the end of the alert") { alerts("firing") > 0 && alerts("resolved") == alerts("firing") }
    let fired = alerts("firing")
    peer.process.signal(SIGCONT)
    try await wait("another alert") { alerts("firing") > fired }
    let total = try #require(UInt64(try await peer.finished().split(separator: "\n").last ?? ""))
    #expect(try await aggregator.process.ended() == .exited(0))
    #expect(try aggregator.reports().last?.row(named: "The pipe")?.received == total)
  }

  @Test(
    arguments: [
      ("[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\n", "forward to itself"),
      (
        "[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=8081\n[q]\ntype=pipe\nport=8081\nnewhost=localhost\n"
          + "newport=8080\n", "forward to each other"
      ),
      (
        "[p]\ntype=pipe\nport=8080\nnewhost=h\n[q]\ntype=pipe\nport=8080\nnewhost=i\nbind=127.0.0.1\n",
        "the same address and port"
      ),
    ], [["--check-config"], ["--count", "1"]])
  func `pipes that cannot work together are refused, by a check as well`(
    wrong: (text: String, word: String), flags: [String]
  ) async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(wrong.text, to: "monitors")
    let program = try lab.a.start(
      [Program.path("runaggregator"), "--monitor-config", "\(folder.path)/monitors"] + flags)
    #expect(try await program.ended() == .exited(78))
    #expect(program.errors.text.contains(wrong.word), "\(program.errors.text)")
  }

  @Test func `pipes share what descriptors allow`() async throws {
    let lab = try Laboratory.topology
    let folder = try ScratchFolder()
    try folder.write(section(8080) + section(8081), to: "monitors")
    // Room for one connection.
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"], program: "runaggregator", in: lab.a,
      wrapper: ["prlimit", "--nofile=150:150"])
    try await aggregator.report("a first report")
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let first = try PipePeer("hold", target: "-", ["1"], in: lab.a)
    try await first.said("open")
    let second = try PipePeer("ask", pipe: "127.0.0.1:8081", target: "-", ["1"], in: lab.a)
    let line = try await aggregator.process.errors.first("a line") {
      $0.contains("are in use: new clients wait") ? $0 : nil
    }
    #expect(
      line.contains("pipe-8081") && line.contains("limit of descriptors") && !line.contains("--max-conn"))
    #expect(second.process.status == nil)
    try await first.finished()
    try await second.finished()
    try await aggregator.stop()
  }

  @Test(
    arguments: [
      ("[p]\ntype=pipe\nport=8080\nnewhost=h\nnewprot=1\n", "did you mean newport?", 78),
      ("[p]\ntype=pope\n", "known types: monitor, pipe", 78),
      (
        "[p]\ntype=pipe\nport=8080\nnewhost=localhost\n",
        ":1: pipe-8080:localhost:8080 would forward to itself", 78
      ),
      (
        "[p]\ntype=pipe\nport=8080\nnewhost=h\n\n[q]\ntype=pipe\nport=8080\nnewhost=i\n",
        ":6: pipe-8080:i:8080", 78
      ),
      ("[p]\ntype=pipe\nport=8080\nnewhost=h\nbind=192.0.2.1\n", ":1: cannot listen on 192.0.2.1:8080", 69),
    ] as [(String, String, Int32)])
  func `a wrong section stops the start`(text: String, word: String, status: Int32) async throws {
    let lab = try Laboratory.topology
    try await lab.a.trackConnections()
    let folder = try ScratchFolder()
    try folder.write(text, to: "monitors")
    let program = try lab.a.start([
      Program.path("runaggregator"), "--monitor-config", "\(folder.path)/monitors",
    ])
    #expect(try await program.ended() == .exited(status))
    #expect(program.errors.text.contains(word), "\(program.errors.text)")
  }
}
