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
    let moment = CivilTime(seconds)
    return "\(moment.date)T\(moment.time).\(CivilTime.padded(Int64(nanoseconds) / 1_000_000, 3))Z"
  }

  /// strftime(3)'s `%F %T` in local time: `2026-11-21 11:00:01`.
  public var local: String {
    let moment = CivilTime(seconds + Int64(utcOffset))
    return "\(moment.date) \(moment.time)"
  }

  /// ctime(3)'s text in local time, without the line feed: `Sat Nov 21 11:00:01 2026`, `Sun Nov  1 11:00:01 2026`.
  public var ctime: String {
    let moment = CivilTime(seconds + Int64(utcOffset))
    let day = String(moment.day).rightAligned(in: 3)
    return "\(moment.weekdayName) \(moment.monthName)\(day) \(moment.time) \(moment.year)"
  }

  /// RFC 5322 in local time: `Sat, 21 Nov 2026 11:00:01 +0100`.
  public var rfc5322: String {
    let moment = CivilTime(seconds + Int64(utcOffset))
    let minutes = Int64(abs(utcOffset) / 60)
    let zone = CivilTime.padded(minutes / 60, 2) + CivilTime.padded(minutes % 60, 2)
    return
      "\(moment.weekdayName), \(moment.day) \(moment.monthName) \(CivilTime.padded(moment.year, 4)) \(moment.time) "
      + "\(utcOffset < 0 ? "-" : "+")\(zone)"
  }
}

/// Date and time in the proleptic Gregorian calendar.
private struct CivilTime {
  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  let year: Int64
  private let month: Int64
  let day: Int64
  /// Days since Sunday.
  private let weekday: Int64
  /// Into the day.
  private let seconds: Int64

  /// Splits `seconds` since the epoch.
  init(_ seconds: Int64) {
    let days = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
    self.seconds = seconds - days * 86_400
    // 1970-01-01 was a Thursday.
    weekday = ((days + 4) % 7 + 7) % 7
    // Counts days from 0000-03-01, so that the leap day ends a year, in eras of 400 years.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// `2026-11-21`.
  var date: String { "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))" }

  /// `11:00:01`.
  var time: String {
    "\(Self.padded(seconds / 3600, 2)):\(Self.padded(seconds / 60 % 60, 2)):\(Self.padded(seconds % 60, 2))"
  }

  var weekdayName: String { Self.weekdays[Int(weekday)] }

  var monthName: String { Self.months[Int(month) - 1] }

  static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
