import Model

/// Bytes in the largest unit of 1024 that leaves a number of at least 1, with one decimal: `1.5 MiB`.
enum ByteText {
  private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

  /// The columns of the longest size, `1023.9 KiB`.
  static let sizeWidth = 10
  /// The columns of the longest rate, `1023.9 KiB/s`.
  static let rateWidth = 12

  /// `bytes` in at most ten columns.
  static func size(_ bytes: UInt64) -> String { text(Double(bytes)) }

  /// `rate` in at most twelve columns.
  static func rate(_ rate: Rate) -> String { text(rate.bytesPerSecond) + "/s" }

  private static func text(_ bytes: Double) -> String {
    var value = bytes
    var unit = 0
    // 1023.95 would be written 1024.0.
    while value >= (unit == 0 ? 1023.5 : 1023.95), unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return value.fixed(unit == 0 ? 0 : 1) + " " + units[unit]
  }
}
