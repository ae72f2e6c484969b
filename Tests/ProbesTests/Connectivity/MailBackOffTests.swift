import Model
import SystemRuntime
import Testing

@testable import Probes

@Suite struct MailBackOffTests {
  private let start = Instant.now
  private func after(_ seconds: Int) -> Instant { start + .seconds(seconds) }

  private static func backOff(_ minimum: Int = 60, _ maximum: Int = 3600, _ step: Int = 300) -> MailBackOff {
    MailBackOff(minimum: .seconds(minimum), maximum: .seconds(maximum), step: .seconds(step))
  }

  private func outage(_ state: Outage.State, at seconds: Int) -> Outage {
    Outage(subject: "s", state: state, time: Timestamp(seconds: Int64(seconds)))
  }

  /// The seconds at which mails go, if the network goes down and comes back each second in `flaps`.
  private func mails(_ backOff: MailBackOff, flaps: (Int) -> Bool, until end: Int) -> [Int] {
    var backOff = backOff
    return (0...end).filter { second in
      if flaps(second) {
        backOff.note(outage(.began(afterUptime: .seconds(1)), at: second))
        backOff.note(outage(.ended(downtime: .seconds(9), isIgnored: false), at: second))
      }
      return backOff.take(at: after(second)) != nil
    }
  }

  /// Gaps are those of P14, each passed by the second that makes the comparison strict.
  @Test func `mails wait longer and longer, up to the maximum`() {
    let times = mails(Self.backOff(), flaps: { _ in true }, until: 35_000)
    let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
    #expect(times.first == 0)
    #expect(
      gaps == [
        61, 361, 661, 961, 1261, 1561, 1861, 2161, 2461, 2761, 3061, 3361, 3601, 3601, 3601, 3601,
      ])
  }

  @Test(arguments: [
    // Quiet for exactly the maximum is not longer than it.
    (quietUntil: 61 + 3600, next: [61 + 3600, 61 + 3600 + 661]),
    (quietUntil: 61 + 3601, next: [61 + 3601, 61 + 3601 + 61]),
  ])
  func `after a quiet time it begins again`(quietUntil: Int, next: [Int]) {
    let times = mails(
      Self.backOff(), flaps: { $0 == 0 || $0 == 30 || $0 >= quietUntil }, until: next[1])
    #expect(times == [0, 61] + next)
  }

  @Test(arguments: [
    (Self.backOff(0, 3600, 0), [0, 1, 2, 3]),
    (Self.backOff(1, 3600, 0), [0, 2, 4, 6]),
    (Self.backOff(60, 0, 300), [0, 1, 2, 3]),
    (Self.backOff(60, 2, 300), [0, 3, 6, 9]),
    (Self.backOff(0, 5, 1), [0, 1, 3, 6]),
  ])
  func `zero is a length like every other`(backOff: MailBackOff, first: [Int]) {
    #expect(Array(mails(backOff, flaps: { _ in true }, until: 20).prefix(4)) == first)
  }

  @Test func `a mail waits until the network is up`() {
    var backOff = Self.backOff()
    #expect(backOff.take(at: after(0)) == nil)
    backOff.note(outage(.began(afterUptime: .seconds(1)), at: 1))
    #expect(backOff.take(at: after(2)) == nil)
    backOff.note(outage(.ended(downtime: .seconds(9), isIgnored: false), at: 10))
    #expect(
      backOff.take(at: after(10)) == """
        1970-01-01 00:00:01 connectivity changed to False (uptime: 0:00:01)
        1970-01-01 00:00:10 connectivity changed to True (downtime: 0:00:09)
        """)
    #expect(backOff.take(at: after(1000)) == nil)
  }

  @Test func `an ignored outage is in no mail`() {
    var backOff = Self.backOff()
    backOff.note(outage(.began(afterUptime: .seconds(600)), at: 600))
    backOff.note(outage(.ended(downtime: .seconds(3), isIgnored: true), at: 603))
    #expect(backOff.take(at: after(603)) == nil)
    backOff.note(outage(.began(afterUptime: .seconds(7)), at: 610))
    backOff.note(outage(.ended(downtime: .milliseconds(7500), isIgnored: false), at: 618))
    #expect(
      backOff.take(at: after(618)) == """
        1970-01-01 00:10:10 connectivity changed to False (uptime: 0:00:07)
        1970-01-01 00:10:18 connectivity changed to True (downtime: 0:00:07.500000)
        """)
  }

  /// Up for 600 s, down for 3 s, up, down for 7.5 s, up.
  @Test func `a short outage is printed, a long one printed and mailed`() {
    var tracker = OutageTracker(subject: "s", ignoringShorterThan: .seconds(5), start: start)
    var backOff = Self.backOff()
    var (lines, mails) = ([String](), [String]())
    for half in 0...1400 {
      let now = start + .milliseconds(500 * half)
      let isDown = (1200..<1206).contains(half) || (1300..<1315).contains(half)
      let time = Timestamp(seconds: Int64(half / 2))
      if let change = tracker.record(reachable: !isDown, attemptBegan: now, at: time) {
        lines.append("\(ConnectivityLine(change))")
        backOff.note(change)
      }
      if let mail = backOff.take(at: now) { mails.append(mail) }
    }
    #expect(
      lines == [
        "1970-01-01 00:10:00 connectivity changed to False (uptime: 0:10:00)",
        "1970-01-01 00:10:03 connectivity changed to True (downtime: 0:00:03) (ignored)",
        "1970-01-01 00:10:50 connectivity changed to False (uptime: 0:00:47)",
        "1970-01-01 00:10:57 connectivity changed to True (downtime: 0:00:07.500000)",
      ])
    #expect(mails == [lines[2...].joined(separator: "\n")])
  }

  @Test func `what is held back goes into one mail`() {
    var backOff = Self.backOff()
    for second in [0, 10, 20] {
      backOff.note(outage(.began(afterUptime: .seconds(1)), at: second))
      backOff.note(outage(.ended(downtime: .seconds(9), isIgnored: false), at: second + 9))
      let body = backOff.take(at: after(second + 9))
      #expect((body != nil) == (second == 0))
    }
    #expect(backOff.take(at: after(69)) == nil)
    #expect(backOff.take(at: after(70))?.split(separator: "\n").count == 4)
  }

  @Test func `what waits at the end is handed over, unless the network is down`() {
    var backOff = Self.backOff()
    #expect(backOff.takeRest(at: start) == nil)
    backOff.note(outage(.began(afterUptime: .seconds(1)), at: 5))
    #expect(backOff.takeRest(at: start) == nil)
    var other = backOff
    let first = "1970-01-01 00:00:05 connectivity changed to False (uptime: 0:00:01)"
    #expect(other.takeRest(at: start, evenIfDown: true) == first)
    #expect(other.takeRest(at: start, evenIfDown: true) == nil)
    backOff.note(outage(.ended(downtime: .seconds(9), isIgnored: false), at: 14))
    #expect(
      backOff.takeRest(at: start)
        == "\(first)\n1970-01-01 00:00:14 connectivity changed to True (downtime: 0:00:09)")
    #expect(backOff.takeRest(at: start) == nil)
  }

  /// After each second a new run goes on: mails go when they would have gone.
  @Test func `restarts change nothing of when mails go`() {
    var backOff = Self.backOff(2, 20, 3)
    var times: [Int] = []
    for second in 0...120 {
      backOff.note(outage(.began(afterUptime: .seconds(1)), at: second))
      let memory = backOff.memory(of: "s", downSince: after(second))
      backOff = Self.backOff(2, 20, 3)
      backOff.resume(memory, isDown: true)
      #expect(backOff.take(at: after(second)) == nil && backOff.takeRest(at: after(second)) == nil)
      backOff.note(outage(.ended(downtime: .seconds(9), isIgnored: false), at: second))
      if backOff.take(at: after(second)) != nil { times.append(second) }
      let other = backOff.memory(of: "s", downSince: nil)
      backOff = Self.backOff(2, 20, 3)
      backOff.resume(other, isDown: false)
    }
    #expect(times == mails(Self.backOff(2, 20, 3), flaps: { _ in true }, until: 120) && times.count > 5)
  }

  @Test func `what an earlier run left comes first, and the flags of this one count`() {
    var backOff = Self.backOff(60, 100, 300)
    var memory = OutageMemory(subject: "s")
    (memory.lines, memory.leftOut) = (["a", "b"], 1)
    (memory.lastMail, memory.gap) = (after(0), .seconds(3000))
    backOff.note(outage(.began(afterUptime: .seconds(1)), at: 5))
    backOff.note(outage(.ended(downtime: .seconds(9), isIgnored: false), at: 14))
    backOff.resume(memory, isDown: false)
    #expect(backOff.take(at: after(100)) == nil)
    let body = backOff.take(at: after(101))?.split(separator: "\n") ?? []
    #expect(body.prefix(3) == ["(1 earlier lines had no room here)", "a", "b"] && body.count == 5)
  }

  @Test func `lines that have no room are counted`() {
    var backOff = Self.backOff()
    for second in 0..<MailBackOff.lineLimit {
      backOff.note(outage(.began(afterUptime: .seconds(1)), at: second))
      backOff.note(outage(.ended(downtime: .seconds(9), isIgnored: false), at: second))
    }
    let lines = backOff.take(at: start)?.split(separator: "\n") ?? []
    #expect(lines.count == MailBackOff.lineLimit + 1)
    #expect(lines.first == "(\(MailBackOff.lineLimit) earlier lines had no room here)")
  }
}
