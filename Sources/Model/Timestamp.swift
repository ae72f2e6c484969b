/// A moment of the wall clock, with the local zone's offset; for showing only, never for intervals.
public struct Timestamp: Sendable, Hashable {
  /// Seconds since 1970-01-01T00:00:00Z.
  public var seconds: Int64
  /// Nanoseconds into the second.
  public var nanoseconds: Int32
  /// Seconds that local time is ahead of UTC.
  public var utcOffset: Int32

  /// Makes a moment.
  public init(seconds: Int64, nanoseconds: Int32 = 0, utcOffset: Int32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
    self.utcOffset = utcOffset
  }

  /// RFC 3339 in UTC with milliseconds: `2026-11-21T10:00:01.000Z`.
  public var rfc3339: String {
    let (date, time) = Self.civil(seconds)
    return "\(date)T\(time).\(Self.padded(Int64(nanoseconds) / 1_000_000, 3))Z"
  }

  /// strftime(3)'s `%F %T` in local time: `2026-11-21 11:00:01`.
  public var local: String {
    let (date, time) = Self.civil(seconds + Int64(utcOffset))
    return "\(date) \(time)"
  }

  /// Splits seconds since the epoch into date and time of the proleptic Gregorian calendar.
  private static func civil(_ seconds: Int64) -> (date: String, time: String) {
    let days = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
    let rest = seconds - days * 86_400
    // Counts days from 0000-03-01, so that the leap day ends a year, in eras of 400 years.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (
      "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))",
      "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
    )
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
