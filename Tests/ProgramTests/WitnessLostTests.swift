import Foundation
import Glibc
import Lab
import Testing

/// The BPF program is lost while its monitor goes on.
@Suite(.needs(.namespaces, .packets, .calls), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct WitnessLostTests {
  /// What runs a program so that SIGUSR2 takes its BPF programs from it.
  private func wrapper(_ folder: ScratchFolder) async throws -> [String] {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/close_links.c").path
    let library = "\(folder.path)/close_links.so"
    try await run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source])
    return ["env", "LD_PRELOAD=\(library)"]
  }

  @Test(arguments: ["bpf-5.8", "bpf"])
  func `owners are looked up from then on, it is said, and no byte counts twice`(way: String) async throws {
    let folder = try ScratchFolder()
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(["--witness", way], in: lab.a, wrapper: try await wrapper(folder))
    try await monitor.report("a first report")
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let line = "tcp 10.77.1.2 \(port) --hold --send"
    // One connection before the loss that goes on after it, one across it at full speed, one of later.
    let echo = try Traffic("udp-serve", in: lab.b)
    let older = try Traffic(
      "udp 10.77.1.2 \(try await echo.ready()) --size 1000 --count 200 --echo --step --hold", in: lab.a)
    _ = try await older.counts(1)
    let across = try Traffic("\(line) 30000000 --rate 10000000", in: lab.a)
    try await monitor.report("what is moved") { $0.usage(pid: across.pid).sent > 1_000_000 }
    monitor.process.signal(SIGUSR2)
    try await monitor.process.errors.first("a warning") { $0.contains("who moves what is gone") ? () : nil }
    #expect(try #require(try monitor.reports().last).usage(pid: across.pid).sent < 30_000_000)
    // One that begins and ends at once may have no name then; its bytes count.
    let brief = try Traffic("tcp 10.77.1.2 \(port) --send 100000", in: lab.a)
    _ = try await brief.counted()
    try await brief.finish()
    _ = try await across.counted()
    older.go()
    _ = try await older.counts(2)
    let later = try Traffic("\(line) 3000000", in: lab.a)
    _ = try await later.counted()

    let entries = try await lab.quietConnections()
    let truth = HostView(entries, addresses: Topology.addressesOfA)
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    let unnamed = report.balance.unattributed
    #expect(
      report.balance.attributed.view + unnamed.view == truth && unnamed.sent < 200_000, "\(unnamed.reasons)")
    let pids = Set(report.rows.compactMap(\.pid))
    #expect(pids.subtracting([brief.pid]) == [older.pid, across.pid, later.pid])
    #expect(report.usage(pid: older.pid) == HostView(received: 200 * 1028, sent: 200 * 1028))
    #expect(report.rows.allSatisfy { $0.layer == nil })
    #expect(monitor.process.errors.lines.count { $0.contains("who moves what is gone") } == 1)
    try await monitor.stop()
    for traffic in [older, across, later] { try await traffic.finish() }
    for server in [server, echo] { try await server.finish() }
  }
}
