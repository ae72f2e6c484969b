import Foundation
import Glibc
import Lab
import Testing

/// A44: no alert and no end of a notification command goes by a wall clock that somebody sets.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct ClockAlertTests {
  /// Each rule but the first would fire, be reported again or be resolved if it went by the wall clock.
  private static let rules = """
    [busy]
    process_filter=Drip
    out_threshold=50
    interval=1
    keep_firing_for=1200
    repeat=1200
    [patient]
    process_filter=Drip
    out_threshold=50
    interval=1
    for=1200
    [long]
    process_filter=Drip
    out_threshold=1
    interval=1200
    [spike]
    out_threshold=100M
    in_threshold=100M
    interval=1
    [afterwards]
    process_filter=Late
    out_threshold=50
    interval=1
    keep_firing_for=1200

    """

  @Test(arguments: SteppedClock.hourEitherWay)
  func `setting the wall clock neither raises nor resolves an alert`(step: Duration) async throws {
    let stage = try await ClockStage()
    let folder = try ScratchFolder()
    let apps = try folder.write("[Drip]\nrule=note drip\n[Late]\nrule=note late\n", to: "apps.cfg")
    let rules = try folder.write(Self.rules, to: "rules.cfg")
    let aggregator = try Reporter(
      ["--app-config", apps, "--notification-config", rules], program: "runaggregator", in: stage.lab.a,
      wrapper: stage.clock.wrapper)
    try await aggregator.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    try await aggregator.alert("of the rule busy") { $0.rule == "busy" }
    try stage.clock.setWallClock(by: step)
    for _ in 0..<5 { try await aggregator.nextReport() }
    // Below the limit from here on, so that keep_firing_for runs.
    try await drip.process.stop(SIGKILL)
    try await aggregator.report("its end") { $0.row(named: "Drip")?.sentRate == 0 }
    for _ in 0..<15 { try await aggregator.nextReport() }
    try stage.clock.setWallClock(by: .zero)
    for _ in 0..<5 { try await aggregator.nextReport() }
    try stage.clock.setWallClock(by: step)
    let late = try stage.drip(400_000, "late")
    let alert = try await aggregator.alert("of the rule afterwards") { $0.rule == "afterwards" }
    try await aggregator.stop()
    late.process.signal(SIGKILL)
    try await stage.server.finish()

    let alerts = try aggregator.alerts()
    #expect(alerts.map(\.rule) == ["busy", "afterwards"], "\(alerts)")
    #expect(alerts.allSatisfy { $0.state == "firing" })
    let moved = step / .seconds(1)
    let reported = try Report.moment(alert.time)
    #expect(abs(reported - Date().timeIntervalSince1970 - moved) < SteppedClock.slack)
    let line = try #require(aggregator.process.errors.lines.first { $0.contains(": Late exceeding") })
    let style = Date.ISO8601FormatStyle(timeZone: .current).year().month().day().dateTimeSeparator(.space)
      .time(includingFractionalSeconds: false)
    let local = try Date(String(line.prefix(19)), strategy: style).timeIntervalSince1970
    #expect(abs(local - reported) < 2)
  }

  @Test(arguments: SteppedClock.hourEitherWay)
  func `setting the wall clock neither hurries nor keeps the end of a command`(step: Duration) async throws {
    let stage = try await ClockStage()
    let folder = try ScratchFolder()
    let slow = try await folder.write(
      program:
        "#!/bin/sh\ncd \(folder.path)\n: >slow.began\nuntil [ -e go ]; do sleep 0.1; done\n: >slow.done\n",
      to: "slow")
    let hangs = try await folder.write(
      program: "#!/bin/sh\n: >\(folder.path)/hangs.began\nexec sleep 3600\n", to: "hangs")
    let rules = try folder.write(
      """
      [slow]
      out_threshold=50
      interval=1
      command_timeout=1200
      notification_command=\(slow)
      [hangs]
      out_threshold=50
      interval=1
      command_timeout=5
      notification_command=\(hangs)

      """, to: "rules.cfg")
    let apps = try folder.write("[Drip]\nrule=note drip\n", to: "apps.cfg")
    let aggregator = try Reporter(
      ["--app-config", apps, "--notification-config", rules], program: "runaggregator", in: stage.lab.a,
      wrapper: stage.clock.wrapper)
    try await aggregator.report("a first report")
    let drip = try stage.drip(400_000, "drip")
    for command in ["slow", "hangs"] {
      try await eventually("\(command)", state: { aggregator.state }) {
        FileManager.default.fileExists(atPath: "\(folder.path)/\(command).began") ? () : nil
      }
    }
    try stage.clock.setWallClock(by: step)
    try await aggregator.process.errors.first("the end of what hangs") {
      $0.contains(hangs) ? () : nil
    }
    try folder.write("", to: "go")
    try await eventually("the end of what is slow", state: { aggregator.state }) {
      FileManager.default.fileExists(atPath: "\(folder.path)/slow.done") ? () : nil
    }
    #expect(!aggregator.process.errors.text.contains(slow))
    try await aggregator.stop()
    drip.process.signal(SIGKILL)
    try await stage.server.finish()
  }
}

/// An alert as JSON tells it, read without the code that wrote it.
private struct AlertLine: Decodable {
  var event: String
  var rule: String
  var state: String
  var time: String
}

extension Reporter {
  /// All alerts so far.
  fileprivate func alerts() throws -> [AlertLine] {
    try process.output.lines.filter { $0.contains(#""event":"alert""#) }.map {
      try JSONDecoder().decode(AlertLine.self, from: Data($0.utf8))
    }
  }

  /// Waits for an alert.
  @discardableResult
  fileprivate func alert(_ awaited: String, where isWanted: (AlertLine) -> Bool) async throws -> AlertLine {
    try await eventually("an alert \(awaited)", state: { state }) { try alerts().first(where: isWanted) }
  }
}
