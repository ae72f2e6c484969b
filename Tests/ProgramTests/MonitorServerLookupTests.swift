import Lab
import Testing

/// Servers of several processes where owners are looked up: a race, which a busy machine may lose.
///
/// What is named is right each time. That all of it is named is judged by `make trials`, once in several runs.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorServerLookupTests {
  private static let tries = Trials.isRunning ? 10 : 1

  /// Runs a server and a client of it; returns the report that has all, and whether it is as `isRight` says.
  private func measure(
    _ server: String, _ client: String, _ isRight: (Report, Traffic) async throws -> Bool
  ) async throws -> Bool {
    let lab = try await MonitorAccountingTests.readyTopology()
    let monitor = try Reporter(["--witness", "lookup"], in: lab.a)
    try await monitor.report("a first report")
    let server = try Traffic(server, in: lab.a)
    let client = try Traffic("tcp 10.77.1.1 \(try await server.ready()) \(client)", in: lab.b)
    _ = try await client.counted()
    try await client.finish()
    let truth = try await lab.viewOfA()
    let report = try await monitor.report("\(truth) in all") { $0.balance.total.view == truth }
    #expect(report.balance.sum == truth)
    try await server.finish()
    let isWhole = try await isRight(report, server)
    try await monitor.stop()
    return isWhole
  }

  /// Requests of a millisecond: the search asks the holders of the listener, those that accepted last first.
  @Test(arguments: ["", "--prefork"]) func `each worker has its own bytes, or none`(kind: String) async throws
  {
    for _ in 0..<Self.tries {
      let isWhole = try await measure(
        "tcp-serve --workers 4 --work 1 --send 10000 \(kind)",
        "--send 100 --receive 10000 --connections 200 --work 12"
      ) { report, server in
        let workers = try await server.counts(4).filter { $0.connections > 0 }
        for worker in workers {
          let most = worker.sent + worker.connections * 700 + worker.retransmitted * 2
          #expect(report.row(pid: worker.pid).map { $0.sent <= most } ?? true, "\(worker)")
        }
        // A worker that had few connections may have had none that was seen.
        return workers.allSatisfy { $0.connections < 20 || report.row(pid: $0.pid) != nil }
      }
      if isWhole { return }
    }
    if Trials.isRunning { Issue.record("in \(Self.tries) runs never a name for each worker") }
  }

  /// As inetd does: accept, fork, exec, close. Sessions of 0.3 s.
  @Test func `a session is the program's that was started for it, or not certainly another's`() async throws {
    for _ in 0..<Self.tries {
      let isWhole = try await measure(
        "tcp-serve --exec \(Program.traffic) --send 20000 --rate 60000", "--receive 20000 --connections 10"
      ) { report, server in
        let sessions = report.rows.filter { $0.name.contains("tcp-resume") }
        let manager = report.row(pid: server.pid)
        // The manager has what came before its child: a connection's beginning. What else it may have is not certain.
        #expect((manager?.sent ?? 0) < 10 * 200 || manager?.match == "relaxed")
        return sessions.reduce(0) { $0 + $1.sent } >= 10 * 20_000
      }
      if isWhole { return }
    }
    if Trials.isRunning { Issue.record("in \(Self.tries) runs never all sessions by their programs") }
  }
}
