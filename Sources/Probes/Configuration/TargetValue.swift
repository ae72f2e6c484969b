import INI
import Model

/// What stands behind the `=` of an option.
struct TargetValue {
  let option: TargetOption
  let text: String
  let place: Place

  /// Milliseconds, decimals allowed; zero for never.
  func interval() throws(INIError) -> Duration {
    guard let milliseconds = Self.decimal(text) else {
      throw wrong("a number of milliseconds, for example 5000, or 0 for never")
    }
    guard milliseconds == 0 || (1...Self.longest).contains(milliseconds) else {
      throw wrong("0 for never, or from 1 ms to a year")
    }
    return .nanoseconds(Int64((milliseconds * 1e6).rounded()))
  }

  /// Milliseconds, decimals allowed.
  func time(in range: ClosedRange<Duration>) throws(INIError) -> Duration {
    let limits = (range.lowerBound.inMilliseconds, range.upperBound.inMilliseconds)
    guard let milliseconds = Self.decimal(text), milliseconds >= limits.0, milliseconds <= limits.1 else {
      throw wrong("from \(Int(limits.0)) to \(Int(limits.1)) ms")
    }
    return .nanoseconds(Int64((milliseconds * 1e6).rounded()))
  }

  /// A whole number.
  func number(in range: ClosedRange<Int>) throws(INIError) -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw wrong("a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A whole number, zero for false, or a word.
  func truth() throws(INIError) -> Bool {
    switch text.lowercased() {
    case "true": return true
    case "false": return false
    default:
      guard let number = Int(text) else { throw wrong("true or false (or 1, 0)") }
      return number != 0
    }
  }

  /// A year, in milliseconds.
  private static let longest = 31_536_000_000.0

  /// Digits with a sign, a point and an exponent, as Python's `float` reads them; not its words such as `inf`.
  private static func decimal(_ text: String) -> Double? {
    guard text.utf8.count <= 40, let first = text.utf8.first, text.utf8.contains(where: isDigit),
      isDigit(first) || "+-.".utf8.contains(first),
      text.utf8.allSatisfy({ isDigit($0) || "+-.eE".utf8.contains($0) })
    else { return nil }
    return Double(text)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private func wrong(_ wanted: String) -> INIError {
    place.error("\(option.rawValue)=\(text.quoted) must be \(wanted)")
  }
}
