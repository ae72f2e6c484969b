import Model
import Testing

@testable import Tstat

@Suite struct EventLineTests {
  @Test(arguments: [
    (0, "ts=2024-01-01 00:00:00,000 event=main.run id=1700000000 removing /data/a.out"),
    (7_000_000, "ts=2024-01-01 00:00:00,007 event=main.run id=1700000000 removing /data/a.out"),
    (999_999_999, "ts=2024-01-01 00:00:00,999 event=main.run id=1700000000 removing /data/a.out"),
  ])
  func `the original's line, in local time`(nanoseconds: Int32, line: String) {
    let time = Timestamp(seconds: 1_704_067_200 - 3600, nanoseconds: nanoseconds, utcOffset: 3600)
    let event = EventLine(time: time, event: "main.run", run: 1_700_000_000, text: "removing /data/a.out")
    #expect(event.description == line)
  }

  @Test func `a hostile name makes no second line`() {
    let event = EventLine(time: Timestamp(seconds: 0), event: "e", run: 1, text: "a\nb\u{1b}[2J")
    #expect(event.description == "ts=1970-01-01 00:00:00,000 event=e id=1 a\\nb\\e[2J")
  }
}
