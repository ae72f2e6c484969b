import Foundation
import Glibc
import Lab
import Testing

/// A44: no rate goes by a wall clock that somebody sets, or by the sleep of a host.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct ClockTests {
  @Test(arguments: SteppedClock.hourEitherWay)
  func `setting the wall clock moves the time of reports, and no rate`(step: Duration) async throws {
    let stage = try await ClockStage()
    let monitor = try Reporter(in: stage.lab.a, wrapper: stage.clock.wrapper)
    try await monitor.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    try await monitor.report("traffic") { $0.row(pid: drip.pid)?.sentRate ?? 0 > 0 }
    try stage.clock.setWallClock(by: step)
    for _ in 0..<5 { try await monitor.nextReport() }
    // Waited for: a zombie counts as one that lives.
    try await drip.process.stop(SIGKILL)
    try await monitor.report("its end") { $0.row(pid: drip.pid)?.exited == true }
    try await monitor.stop()
    try await stage.server.finish()

    let reports = try monitor.reports()
    try checkRates(of: drip.pid, reports)
    #expect(reports.compactMap(\.interval).allSatisfy { $0 > 0 && $0 < SteppedClock.slack })
    let jumps = try zip(reports, reports.dropFirst()).map { try $1.moment - $0.moment }
      .filter { abs($0) > SteppedClock.slack }
    let jump = try #require(jumps.first)
    #expect(jumps.count == 1 && abs(jump - step / .seconds(1)) < SteppedClock.slack, "\(jumps)")
  }

  @Test func `a suspend is part of its interval, and of no rate after it`() async throws {
    let stage = try await ClockStage()
    let monitor = try Reporter(in: stage.lab.a, wrapper: stage.clock.wrapper)
    try await monitor.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    try await monitor.report("traffic") { $0.row(pid: drip.pid)?.sentRate ?? 0 > 0 }
    try stage.clock.suspend(for: SteppedClock.hour)
    for _ in 0..<5 { try await monitor.nextReport() }
    try await monitor.stop()
    drip.process.signal(SIGKILL)
    try await stage.server.finish()

    let reports = try monitor.reports()
    try checkRates(of: drip.pid, reports)
    let slept = reports.filter { $0.interval ?? 0 > 3600 }
    #expect(slept.count == 1 && slept[0].interval ?? 0 < 3600 + SteppedClock.slack)
    #expect(slept[0].row(pid: drip.pid).map { $0.sentRate < 100_000 } == true)
    #expect(reports.allSatisfy { $0.health["skipped_reports"] == 0 })
  }

  /// Stopped as a debugger or a frozen control group does it: the clocks go on.
  @Test func `ticks that were missed are one, with all that moved`() async throws {
    let stage = try await ClockStage()
    let monitor = try Reporter(in: stage.lab.a)
    try await monitor.report("a first report")
    monitor.process.signal(SIGSTOP)
    let client = try Traffic(
      "tcp 10.77.1.2 \(stage.port) --send 600000 --rate 400000 --hold", in: stage.lab.a)
    _ = try await client.counted()
    let truth = try await stage.lab.viewOfA()
    monitor.process.signal(SIGCONT)
    try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    try await monitor.nextReport()
    try await monitor.stop()
    try await client.finish()
    try await stage.server.finish()

    let reports = try monitor.reports()
    try checkRates(of: client.pid, reports)
    // The client took longer than a second.
    #expect(reports.contains { $0.interval ?? 0 > 1 })
    #expect(reports.allSatisfy { $0.health["skipped_reports"] == 0 })
  }

  /// What a row says of its rate is what moved in the interval.
  private func checkRates(of pid: Int32, _ reports: [Report]) throws {
    for (before, after) in zip(reports, reports.dropFirst()) {
      guard let row = after.row(pid: pid) else { continue }
      let interval = try #require(after.interval)
      for (rate, now, then) in [
        (row.sentRate, row.sent, before.usage(pid: pid).sent),
        (row.receivedRate, row.received, before.usage(pid: pid).received),
      ] {
        #expect(now >= then && rate >= 0)
        // Reported are thousandths of a second, and tenths of a byte per second.
        #expect(abs(rate * interval - Double(now - then)) <= rate / 1000 + interval / 10 + 1, "\(after)")
      }
    }
  }
}

extension Report {
  fileprivate var moment: Double { get throws { try Self.moment(time) } }
}
