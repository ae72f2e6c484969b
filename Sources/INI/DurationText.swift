/// A length of time as people write it: in configuration files and on command lines.
public enum DurationText {
  private static let units: [(suffix: String, seconds: Double)] = [
    ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
  ]

  /// The duration of `text`, to the nanosecond; nil when it is none or longer than a hundred years.
  ///
  /// Written as a number of seconds, decimals allowed, or with a unit: `10`, `0.5`, `10s`, `500ms`, `5m`, `1h`.
  public static func duration(_ text: String) -> Duration? {
    let unit = units.first { text.hasSuffix($0.suffix) }
    let digits = unit.map { text.dropLast($0.suffix.count) } ?? text[...]
    guard let number = decimal(digits) else { return nil }
    let seconds = number * (unit?.seconds ?? 1)
    guard abs(seconds) < 4e9 else { return nil }
    return .nanoseconds(Int64(seconds * 1e9 + (seconds < 0 ? -0.5 : 0.5)))
  }

  /// Digits, optionally with a sign before and a fraction after them.
  static func decimal(_ text: Substring) -> Double? {
    var digits = text.utf8[...]
    if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      digits.removeFirst()
    }
    let point = UInt8(ascii: ".")
    guard digits.count <= 40, digits.contains(where: { $0 != point }),
      digits.allSatisfy({ $0 == point || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return Double(text)
  }
}
