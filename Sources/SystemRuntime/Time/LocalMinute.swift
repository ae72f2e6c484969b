import Glibc

/// A minute of local time as a clock on the wall shows it, without its zone.
public struct LocalMinute: Sendable, Hashable {
  private let fields: [Int32]

  /// Makes a minute; month and day count from 1.
  public init(year: Int32, month: Int32, day: Int32, hour: Int32, minute: Int32) {
    fields = [year, month, day, hour, minute]
  }

  /// Whether this host's zone (TZ, /etc/localtime) shows it twice, because the end of summer time sets clocks back (mktime(3)).
  public var isRepeated: Bool {
    guard let winter = moment(isSummer: 0), let summer = moment(isSummer: 1) else { return false }
    return winter != summer
  }

  /// The moment of this minute in summer or winter time; nil when the zone never shows it so.
  private func moment(isSummer: Int32) -> time_t? {
    var time = unsafe tm()
    unsafe time.tm_year = fields[0] - 1900
    unsafe time.tm_mon = fields[1] - 1
    unsafe time.tm_mday = fields[2]
    unsafe time.tm_hour = fields[3]
    unsafe time.tm_min = fields[4]
    unsafe time.tm_isdst = isSummer
    // The call reads and corrects one structure; a moment that is not so in this zone comes back as another minute.
    let moment = unsafe mktime(&time)
    let read = unsafe [time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min]
    guard read == fields, unsafe time.tm_isdst == isSummer else { return nil }
    return moment
  }
}
