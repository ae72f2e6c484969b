import Model
import Testing

@testable import Probes

@Suite struct ConnectivityLineTests {
  // 2021-08-26 11:09:15 in a zone two hours ahead.
  private static let time = Timestamp(seconds: 1_629_968_955, nanoseconds: 999_999_999, utcOffset: 7200)

  private static let states: [(Outage.State, String)] = [
    (
      .began(afterUptime: .microseconds(604_003_210)),
      "2021-08-26 11:09:15 connectivity changed to False (uptime: 0:10:04.003210)"
    ),
    (
      .ended(downtime: .microseconds(7_512_001), isIgnored: false),
      "2021-08-26 11:09:15 connectivity changed to True (downtime: 0:00:07.512001)"
    ),
    (
      .ended(downtime: .seconds(3), isIgnored: true),
      "2021-08-26 11:09:15 connectivity changed to True (downtime: 0:00:03) (ignored)"
    ),
  ]

  @Test(arguments: states)
  func `the line is pyNetConnMon's`(state: Outage.State, line: String) {
    #expect(ConnectivityLine(Outage(subject: "s", state: state, time: Self.time)).description == line)
  }

  /// As Python 3's str(datetime.timedelta(...)) has them.
  private static let durations: [(Duration, String)] = [
    (.zero, "0:00:00"),
    (.microseconds(1), "0:00:00.000001"),
    (.nanoseconds(999), "0:00:00"),
    (.nanoseconds(1999), "0:00:00.000001"),
    (.milliseconds(500), "0:00:00.500000"),
    (.seconds(59), "0:00:59"),
    (.seconds(3600), "1:00:00"),
    (.microseconds(86_399_999_999), "23:59:59.999999"),
    (.seconds(86_400), "1 day, 0:00:00"),
    (.microseconds(93_784_000_005), "1 day, 2:03:04.000005"),
    (.seconds(208_800), "2 days, 10:00:00"),
    (.seconds(34_560_000), "400 days, 0:00:00"),
    (.seconds(-1), "0:00:00"),
  ]

  @Test(arguments: durations)
  func `durations are Python's`(duration: Duration, text: String) {
    #expect(ConnectivityLine.text(of: duration) == text)
  }
}
