import Foundation
import Lab
import Testing

/// Servers: who accepts, who answers, and what each of several processes moved, at any speed. To look that up is a race;
/// the BPF programs do not run it.
@Suite(.needs(.namespaces, .packets), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorServerTests {
  private static let ways = ["bpf-5.8", "bpf"]

  /// Nobody has accepted a connection that has only begun: by a report it may be anybody's. It has moved no payload.
  private static func expectHandshakes(_ unnamed: Report.Balance.Unattributed, of connections: UInt64) {
    #expect(unnamed.sent <= connections * 200 && unnamed.received <= connections * 200, "\(unnamed)")
  }

  /// Of each request the worker makes nothing, or so many milliseconds of work.
  @Test(arguments: ways, ["", "--prefork", "--work 1", "--prefork --work 1", "--prefork --work 2"])
  func `each worker has its own connections, however short`(witness: String, kind: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(["--witness", witness], in: lab.a)
    try await monitor.report("a first report")
    let server = try Traffic("tcp-serve --workers 4 --send 3000 \(kind)", in: lab.a)
    let port = try await server.ready()
    // Two at a time, each over as soon as it is answered.
    let clients = try (0..<2).map { _ in
      try Traffic("tcp 10.77.1.1 \(port) --send 100 --receive 3000 --connections 200", in: lab.b)
    }
    for client in clients {
      _ = try await client.counted()
      try await client.finish()
    }
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    try await server.finish()
    Self.expectHandshakes(report.balance.unattributed, of: 400)
    let workers = try await server.counts(4).filter { $0.connections > 0 }
    #expect(workers.reduce(0) { $0 + $1.connections } == 400)
    for worker in workers {
      let row = try #require(report.row(pid: worker.pid), "\(worker)")
      // Headers of six packets and more; a segment may be sent again.
      let most = worker.sent + worker.connections * 700 + worker.retransmitted * 2
      #expect((worker.sent...most).contains(row.sent) && row.match == "exact", "\(row) of \(worker)")
    }
    #expect(report.rows.count { $0.pid != nil } == workers.count)
    try await monitor.stop()
  }

  @Test(arguments: ways)
  func `a program that was started for one connection has its bytes`(witness: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(["--witness", witness], in: lab.a)
    try await monitor.report("a first report")
    let server = try Traffic("tcp-serve --exec \(Program.traffic) --send 20000", in: lab.a)
    let client = try Traffic(
      "tcp 10.77.1.1 \(try await server.ready()) --receive 20000 --connections 30", in: lab.b)
    _ = try await client.counted()
    try await client.finish()
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    Self.expectHandshakes(report.balance.unattributed, of: 30)
    let ended = report.rows.filter { $0.name.contains("tcp-resume") }
    #expect(ended.reduce(0) { $0 + ($1.processes ?? 1) } == 30)
    #expect(ended.allSatisfy { $0.match == "exact" })
    // The manager at most has what came before its child: a connection's beginning.
    #expect(report.usage(pid: server.pid).sent < 30 * 200)
    #expect(ended.reduce(0) { $0 + $1.sent } >= 30 * 20_000)
    try await monitor.stop()
    try await server.finish()
  }

  @Test(arguments: ways)
  func `both ends of an MPTCP connection are named`(witness: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    // All of it in one interval: what is only begun by a report would be the listener's.
    let monitor = try Reporter(["--witness", witness], interval: "600", in: lab.a)
    try await monitor.report("a first report")
    let server = try Traffic("tcp-serve --mptcp --send 300000", in: lab.a)
    let client = try Traffic(
      "tcp 127.0.0.1 \(try await server.ready()) --mptcp --send 200000 --receive 300000 --hold", in: lab.a)
    _ = try await client.counted()
    let truth = try await lab.viewOfA()
    try await monitor.stop()
    let report = try #require(try monitor.reports().last)
    #expect(report.balance.total.view == truth)
    let half = try #require(try await lab.a.connections().first { $0.original.destinationPort != 0 })
    let sent = try #require(half.original.bytes), received = try #require(half.reply.bytes)
    #expect(report.usage(pid: client.pid) == HostView(received: received, sent: sent))
    #expect(report.usage(pid: server.pid) == HostView(received: sent, sent: received))
    try await client.finish()
    try await server.finish()
  }

  /// So many requests, at so many a second, or as fast as eight clients ask.
  @Test(arguments: ways, [(40, 20), (2_000, 1_000), (8_000, nil)] as [(Int, Int?)])
  func `nginx has all that it sent`(witness: String, load: (requests: Int, rate: Int?)) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let nginx = try await Nginx(in: lab.a)
    let monitor = try Reporter(["--witness", witness], interval: "1", in: lab.a)
    try await monitor.report("a first report")
    // The table forgets an ended connection when the next one has its ends.
    try await lab.b.countPackets()
    if let rate = load.rate {
      let file = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures/paced_requests.py").path
      let text = try await lab.b.run(["python3", file, "10.77.1.1", "8080", "\(rate)", "\(load.requests)"])
      #expect(text == "\(load.requests)\n")
    } else {
      let text = try await lab.b.run("ab -q -n \(load.requests) -c 8 http://10.77.1.1:8080/page")
      #expect(text.contains("Failed requests:        0"))
    }
    let last = try await eventually("all that the peer has counted", state: { monitor.state }) {
      let counted = try await lab.b.countedBytes()
      let last = try monitor.reports().last
      return last?.balance.total.view == HostView(received: counted.sent, sent: counted.received) ? last : nil
    }
    #expect(last.balance.total.sent >= UInt64(load.requests) * 10_000)
    let named = last.rows.filter { $0.name.hasPrefix("nginx: worker") }.map(\.usage).reduce(HostView(), +)
    let unnamed = last.balance.unattributed
    #expect(named + unnamed.view == last.balance.total.view, "\(last.rows)")
    // 99.9 % of the bytes, or all but the beginning of a connection.
    #expect(unnamed.sent < max(last.balance.total.sent / 1_000, 400), "\(unnamed)")
    try await monitor.stop()
    try await nginx.stop()
  }
}

/// nginx with two workers and a file of 10 kB, without keep-alive.
private struct Nginx {
  private let folder: ScratchFolder
  private let process: ChildProcess

  /// Starts it on port 8080 and waits until it listens.
  init(in host: NetworkNamespace) async throws {
    folder = try ScratchFolder()
    try folder.write(String(repeating: "x", count: 10_000), to: "page")
    let path = folder.path
    let configuration = try folder.write(
      """
      daemon off; worker_processes 2; pid \(path)/pid; error_log \(path)/error; events { worker_connections 1024; }
      http { access_log off; keepalive_timeout 0; sendfile on; server { listen 8080; root \(path); } }
      """, to: "nginx.conf")
    process = try host.start(["nginx", "-c", configuration])
    try await eventually("nginx", state: { process.errors.text }) {
      try await host.run("ss -Hltn sport = :8080").isEmpty ? nil : ()
    }
  }

  /// Ends it and waits for that.
  func stop() async throws { #expect(try await process.stop() == .exited(0)) }
}
