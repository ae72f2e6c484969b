import Model
import Testing

@Suite struct TimestampTests {
  // Rows of `date -u -d @SECONDS +%FT%T`.
  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.000Z"), (86_399, "1970-01-01T23:59:59.000Z"),
      (86_400, "1970-01-02T00:00:00.000Z"), (-86_400, "1969-12-31T00:00:00.000Z"),
      (-86_401, "1969-12-30T23:59:59.000Z"), (951_782_399, "2000-02-28T23:59:59.000Z"),
      (951_782_400, "2000-02-29T00:00:00.000Z"), (951_868_800, "2000-03-01T00:00:00.000Z"),
      (1_709_164_800, "2024-02-29T00:00:00.000Z"), (1_709_251_200, "2024-03-01T00:00:00.000Z"),
      (1_735_689_599, "2024-12-31T23:59:59.000Z"), (1_735_689_600, "2025-01-01T00:00:00.000Z"),
      (4_107_542_400, "2100-03-01T00:00:00.000Z"), (4_107_542_399, "2100-02-28T23:59:59.000Z"),
      (2_147_483_648, "2038-01-19T03:14:08.000Z"), (253_402_300_799, "9999-12-31T23:59:59.000Z"),
      (-2_203_891_200, "1900-03-01T00:00:00.000Z"), (-2_203_891_201, "1900-02-28T23:59:59.000Z"),
      (1_351_771_200, "2012-11-01T12:00:00.000Z"),
    ] as [(Int64, String)])
  func `UTC is written as RFC 3339`(seconds: Int64, text: String) {
    #expect(Timestamp(seconds: seconds).rfc3339 == text)
  }

  @Test(
    arguments: [
      (0, ".000Z"), (999_999, ".000Z"), (1_000_000, ".001Z"), (7_000_000, ".007Z"), (120_999_999, ".120Z"),
      (999_999_999, ".999Z"),
    ] as [(Int32, String)])
  func `milliseconds are cut, never rounded into the next second`(nanoseconds: Int32, ending: String) {
    #expect(Timestamp(seconds: 59, nanoseconds: nanoseconds).rfc3339 == "1970-01-01T00:00:59" + ending)
  }

  @Test(
    arguments: [
      (0, "1970-01-01 00:00:00"), (3600, "1970-01-01 01:00:00"), (-3600, "1969-12-31 23:00:00"),
      (20_700, "1970-01-01 05:45:00"), (50_400, "1970-01-01 14:00:00"), (-43_200, "1969-12-31 12:00:00"),
    ] as [(Int32, String)])
  func `local time is the offset away`(offset: Int32, text: String) {
    let time = Timestamp(seconds: 0, utcOffset: offset)
    #expect(time.local == text)
    #expect(time.rfc3339 == "1970-01-01T00:00:00.000Z")
  }

  // Rows of Python's time.asctime.
  @Test(
    arguments: [
      (0, "Thu Jan  1 00:00:00 1970"), (-1, "Wed Dec 31 23:59:59 1969"),
      (-86_400, "Wed Dec 31 00:00:00 1969"),
      (951_868_799, "Tue Feb 29 23:59:59 2000"), (1_795_221_159, "Sat Nov 21 00:32:39 2026"),
      (1_793_491_200, "Sun Nov  1 00:00:00 2026"), (4_102_444_800, "Fri Jan  1 00:00:00 2100"),
      (-2_203_891_200, "Thu Mar  1 00:00:00 1900"), (1_709_251_200, "Fri Mar  1 00:00:00 2024"),
    ] as [(Int64, String)])
  func `local time is written as ctime writes it`(seconds: Int64, text: String) {
    #expect(Timestamp(seconds: seconds).ctime == text)
    #expect(Timestamp(seconds: seconds - 20_700, utcOffset: 20_700).ctime == text)
  }

  @Test func `every day of four hundred years follows the one before`() {
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    var day: Int64 = 0
    for year in 1970..<2370 {
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      for month in 1...12 {
        let length = lengths[month - 1] + (month == 2 && isLeap ? 1 : 0)
        for date in [1, length] {
          let text = Timestamp(seconds: (day + Int64(date) - 1) * 86_400).local.prefix(10)
          let parts = text.split(separator: "-").compactMap { Int($0) }
          #expect(parts == [year, month, date])
        }
        day += Int64(length)
      }
    }
  }
}
