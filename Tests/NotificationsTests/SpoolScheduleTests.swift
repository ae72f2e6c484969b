import Curl
import Model
import SystemRuntime
import Testing

@testable import Notifications

/// Which mail is tried when, with which configuration, and after which failure it is tried again.
@Suite struct SpoolScheduleTests {
  private let start = Instant.now

  @Test(arguments: [
    (1, Duration.seconds(30)), (2, .seconds(60)), (3, .seconds(120)), (7, .seconds(1920)),
    (8, .seconds(3600)),
    (9, .seconds(3600)), (.max, .seconds(3600)), (0, .seconds(30)),
  ])
  func `pauses double up to an hour`(failures: Int, pause: Duration) {
    #expect(SpoolSchedule.Pauses().pause(after: failures) == pause)
  }

  @Test func `one is sent at a time, in order`() {
    var schedule = sampleSchedule("a", "b")
    #expect(schedule.start(at: start)?.entry.name == "0")
    #expect(schedule.start(at: start) == nil && schedule.due(at: start) == nil)
    #expect(schedule.finish(.sent(refused: []), at: start)?.isDone == true)
    #expect(schedule.start(at: start)?.entry.name == "1")
    #expect(schedule.finish(.sent(refused: []), at: start)?.warnings == [])
    #expect(schedule.entries.isEmpty && schedule.due(at: start) == nil)
  }

  @Test func `a failure that passes delays all, is said once and taken back`() {
    var schedule = sampleSchedule("a", "b")
    var (now, warnings) = (start, [String]())
    for pause in [30, 60, 120, 240] {
      #expect(schedule.start(at: now)?.entry.name == "0")
      let ending = schedule.finish(.transient("why.", mayHaveArrived: false), at: now)
      warnings += ending?.warnings.map(\.text) ?? []
      #expect(ending?.isDone == false && ending?.entry.isSealed == false)
      #expect(schedule.due(at: now) == now + .seconds(pause))
      now += .seconds(pause)
      #expect(schedule.start(at: now - .nanoseconds(1)) == nil)
    }
    #expect(
      warnings == [
        "a mail was not sent: why. It is tried again: see that the mail server is well. This is said once until mail is sent."
      ])
    _ = schedule.start(at: now)
    let ending = schedule.finish(.sent(refused: []), at: now)
    #expect(ending?.warnings.map(\.isResolved) == [true])
    #expect(schedule.due(at: now) == now)
    _ = schedule.start(at: now)
    _ = schedule.finish(.transient("why.", mayHaveArrived: false), at: now)
    #expect(schedule.due(at: now) == now + .seconds(30))
  }

  @Test func `a refused login stops all until there are new configurations, and is said once for each`() {
    var schedule = sampleSchedule("a", "b")
    _ = schedule.start(at: start)
    let ending = schedule.finish(.denied("535."), at: start)
    #expect(ending?.isDone == false && ending?.entry.isSealed == false)
    #expect(
      ending?.warnings.map(\.text) == [
        "a mail was not sent: 535. It is tried again at a restart and at a reload of the configuration (SIGHUP), not before; what comes until then is kept."
      ])
    // Neither time, nor a new report, nor the end of the program is a reason to try again.
    let later = start + .seconds(10 * 365 * 86_400)
    #expect(schedule.due(at: later) == nil && schedule.start(at: later) == nil)
    #expect(schedule.add(sampleReport("a", "y"), name: "2")?.entry.report.body == "x\ny")
    schedule.restart()
    #expect(schedule.due(at: later) == nil && schedule.start(at: later) == nil)
    schedule.use(sampleConfigurations())
    #expect(schedule.start(at: later)?.entry.report.body == "x\ny" && schedule.start(at: later) == nil)
    // The administrator has changed something: this is said again.
    #expect(schedule.finish(.denied("535."), at: later)?.warnings.count == 1)
    schedule.use(sampleConfigurations())
    _ = schedule.start(at: later)
    #expect(schedule.finish(.sent(refused: []), at: later)?.warnings.map(\.isResolved) == [true])
    // Nothing is known of it after a new start.
    let restarted = SpoolSchedule(schedule.entries, with: sampleConfigurations())
    #expect(restarted.due(at: later) == later)
  }

  @Test func `a failure that does not pass stops all until a restart or for six hours`() {
    var schedule = sampleSchedule("a", "b")
    _ = schedule.start(at: start)
    let ending = schedule.finish(.permanent("no."), at: start)
    #expect(ending?.warnings.map(\.code) == ["mail_failed"] && ending?.isDone == false)
    #expect(ending?.entry.isSealed == false)
    #expect(schedule.due(at: start) == start + .seconds(21_600))
    #expect(schedule.start(at: start + .seconds(21_599)) == nil)
    #expect(schedule.start(at: start + .seconds(21_600))?.entry.name == "0")
    #expect(schedule.finish(.permanent("no."), at: start)?.warnings == [])
    schedule.restart()
    #expect(schedule.start(at: start)?.entry.name == "0")
  }

  @Test func `a report that is refused stops no other, and nothing is added to it`() {
    var schedule = sampleSchedule("a", "b")
    #expect(schedule.start(at: start)?.entry.name == "0")
    let ending = schedule.finish(.refused("554 no.", mayBeTakenLater: false), at: start)
    #expect(ending?.warnings.count == 1 && ending?.entry.isSealed == true)
    #expect(
      ending?.warnings.first?.text.contains(
        "the mail `s` was not sent: 554 no. It is tried again at a restart")
        == true)
    #expect(schedule.start(at: start)?.entry.name == "1")
    #expect(schedule.finish(.sent(refused: []), at: start)?.warnings == [])
    #expect(schedule.add(sampleReport("a", "more"), name: "2")?.entry.report.body == "more")
    #expect(schedule.start(at: start)?.entry.name == "2")
    // Said once.
    #expect(schedule.finish(.refused("554 no.", mayBeTakenLater: false), at: start)?.warnings == [])
    #expect(schedule.due(at: start) == nil)
    schedule.restart()
    #expect(schedule.due(at: start) == nil)
    schedule.use(sampleConfigurations())
    #expect(schedule.start(at: start)?.absorbed == [])
    #expect(schedule.finish(.sent(refused: []), at: start)?.warnings.map(\.isResolved) == [true])
  }

  @Test func `a report that is refused for now waits alone, and with others of its stream becomes one`() {
    var schedule = sampleSchedule("a", "b")
    var now = start
    for pause in [30, 60, 120] {
      #expect(schedule.start(at: now)?.entry.name == "0")
      let ending = schedule.finish(.refused("451.", mayBeTakenLater: true), at: now)
      #expect(ending?.warnings.count == (pause == 30 ? 1 : 0) && ending?.entry.isSealed == false)
      if pause == 30 {
        #expect(schedule.start(at: now)?.entry.name == "1")
        #expect(schedule.finish(.sent(refused: []), at: now)?.warnings == [])
      }
      #expect(schedule.due(at: now) == now + .seconds(pause))
      now += .seconds(pause)
    }
    #expect(schedule.add(sampleReport("a", "y"), name: "2")?.entry.report.body == "y")
    #expect(schedule.start(at: now)?.entry.report.body == "x\ny")
    #expect(schedule.finish(.sent(refused: []), at: now)?.warnings.map(\.isResolved) == [true])
  }

  @Test func `each configuration fails alone`() {
    let two = sampleConfigurations { $0 }
    var schedule = sampleSchedule("a", "b", "a", with: two)
    let first = schedule.start(at: start)
    #expect(first?.entry.name == "0" && first?.configuration.server == "servera")
    let second = schedule.start(at: start)
    #expect(second?.entry.name == "1" && second?.configuration.server == "serverb")
    #expect(schedule.start(at: start) == nil && schedule.due(at: start) == nil && schedule.isSending)
    let ending = schedule.finish("0", .denied("535."), at: start)
    #expect(ending?.warnings.first?.text.hasPrefix("a mail was not sent with a: 535.") == true)
    #expect(schedule.due(at: start) == nil)
    #expect(schedule.finish("1", .transient("why.", mayHaveArrived: false), at: start)?.warnings.count == 1)
    #expect(schedule.due(at: start) == start + .seconds(30))
  }

  @Test func `a report goes with its file, else with its section's, else it waits`() {
    let old = sampleConfigurations { $0 + "1" }
    var schedule = SpoolSchedule(with: old)
    for (index, stream) in ["a", "b", "c"].enumerated() {
      var report = sampleReport(stream)
      report.configuration = stream + "1"
      _ = schedule.add(report, name: "\(index)")
    }
    #expect(schedule.withoutConfiguration.map(\.name) == ["2"])
    // As after a restart.
    var other = SpoolSchedule(schedule.entries, with: sampleConfigurations(["a"]) { $0 + "2" })
    #expect(other.start(at: start)?.configuration.server == "servera2")
    #expect(other.withoutConfiguration.map(\.name) == ["1", "2"] && other.due(at: start) == nil)
    // A reload remembers those of before, once.
    schedule.use(sampleConfigurations(["a"]) { $0 + "2" })
    #expect(schedule.start(at: start)?.configuration.server == "servera1")
    #expect(schedule.withoutConfiguration.map(\.name) == ["2"])
    schedule.use(sampleConfigurations(["c"]) { $0 + "2" })
    #expect(schedule.withoutConfiguration.map(\.name) == ["1"])
  }

  @Test func `recipients that are refused for now get it later, others not again`() {
    var schedule = sampleSchedule("a", "b")
    _ = schedule.start(at: start)
    let refused = [
      RefusedRecipient(address: "x@h", reply: "550 no", mayBeTakenLater: false),
      RefusedRecipient(address: "y@h", reply: "450 later", mayBeTakenLater: true),
    ]
    let ending = schedule.finish(.sent(refused: refused), at: start)
    #expect(ending?.isDone == false && ending?.entry.report.recipients == ["y@h"])
    #expect(ending?.warnings.map(\.code) == ["mail_refused"])
    #expect(ending?.warnings.first?.text.contains("takes nothing for x@h (550 no)") == true)
    #expect(schedule.start(at: start)?.entry.name == "1")
    _ = schedule.finish(.sent(refused: []), at: start)
    #expect(schedule.due(at: start) == start + .seconds(480))
    #expect(schedule.add(sampleReport("a", "more"), name: "2")?.entry.report.body == "more")
    #expect(schedule.start(at: start + .seconds(480))?.entry.name == "0")
    #expect(schedule.finish(.sent(refused: []), at: start)?.isDone == true)
  }

  @Test func `who is refused for long while others have it is given up`() {
    var schedule = sampleSchedule("a")
    let refused = [RefusedRecipient(address: "y@h", reply: "450 later", mayBeTakenLater: true)]
    _ = schedule.start(at: start)
    #expect(schedule.finish(.sent(refused: refused), at: start)?.isDone == false)
    for attempt in 2...SpoolSchedule.mostAttemptsForSome {
      schedule.restart()
      _ = schedule.start(at: start)
      let ending = schedule.finish(.refused("450.", mayBeTakenLater: true), at: start)
      #expect(ending?.isDone == (attempt == SpoolSchedule.mostAttemptsForSome))
      if ending?.isDone == true { #expect(ending?.warnings.map(\.code) == ["mail_refused"]) }
    }
    #expect(schedule.entries.isEmpty)
  }

  @Test func `an attempt that nobody knows the end of may have arrived`() {
    var schedule = sampleSchedule("a")
    _ = schedule.start(at: start)
    #expect(schedule.finish(nil, at: start)?.entry.isSealed == true)
    #expect(schedule.finish(nil, at: start) == nil)
  }
}
