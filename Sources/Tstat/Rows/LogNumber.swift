import SystemRuntime

/// A number of a log, as the original reads it: whole, or rounded to three decimals.
enum LogNumber: Hashable {
  case whole(Int64)
  case decimal(Double)
  /// NaN or infinite: tstat divides by zero at times.
  case notFinite
  /// No number, or one with more than 64 bits.
  case unreadable

  /// Reads the text of a column.
  init(_ text: Span<UInt8>) {
    var isNegative = false
    var digits: UInt64 = 0
    var decimals = -1
    var count = 0
    for index in text.indices {
      switch text[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        // More digits than these would not fit.
        guard count < 19 else {
          self = Self.slow(text)
          return
        }
        digits = digits * 10 + UInt64(text[index] - UInt8(ascii: "0"))
        count += 1
        if decimals >= 0 { decimals += 1 }
      case UInt8(ascii: ".") where decimals < 0: decimals = 0
      case UInt8(ascii: "-") where index == 0: isNegative = true
      default:
        self = Self.slow(text)
        return
      }
    }
    guard count > 0 else {
      self = .unreadable
      return
    }
    if decimals < 0 {
      self = Int64(exactly: digits).map { .whole(isNegative ? -$0 : $0) } ?? .unreadable
    } else {
      self = Self.rounded(digits, decimals: decimals, isNegative: isNegative) ?? Self.slow(text)
    }
  }

  /// The value with `decimals` decimals, rounded to three; nil where binary arithmetic would decide.
  ///
  /// A double is at most 2^-53 of its value away from the text. Only a text that is so near to the middle between two thousandths
  /// can be rounded in another way than the double that the original rounds.
  private static func rounded(_ digits: UInt64, decimals: Int, isNegative: Bool) -> LogNumber? {
    var thousandths = digits
    if decimals <= 3 {
      let scaled = digits.multipliedReportingOverflow(by: powersOfTen[3 - decimals])
      guard !scaled.overflow else { return nil }
      thousandths = scaled.partialValue
    } else {
      let unit = powersOfTen[decimals - 3]
      let (quotient, rest) = digits.quotientAndRemainder(dividingBy: unit)
      let middle = unit / 2
      let distance = rest > middle ? rest - middle : middle - rest
      guard distance > digits >> 53 else { return nil }
      thousandths = rest > middle ? quotient + 1 : quotient
    }
    guard thousandths < 1 << 53 else { return nil }
    let value = Double(thousandths) / 1000
    return .decimal(isNegative ? -value : value)
  }

  private static let powersOfTen: [UInt64] = (0...18).map { exponent in
    (0..<exponent).reduce(1) { power, _ in power * 10 }
  }

  /// Any text that C's strtod reads, but for hexadecimal ones.
  private static func slow(_ bytes: Span<UInt8>) -> LogNumber {
    guard bytes.count <= 400 else { return .unreadable }
    var text = ""
    var isWhole = true
    for index in bytes.indices {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"): break
      // Letters of exponents, nan, inf and infinity.
      case UInt8(ascii: "."): isWhole = false
      case _ where "eEnNaAiIfFtTyY".utf8.contains(byte): isWhole = false
      default: return .unreadable
      }
      text.unicodeScalars.append(Unicode.Scalar(byte))
    }
    if isWhole { return Int64(text).map { .whole($0) } ?? .unreadable }
    guard let value = Double(text) else { return .unreadable }
    return value.isFinite ? .decimal(rounded(value, decimals: 3)) : .notFinite
  }

  /// A value rounded to so many decimals: the nearest one, in the middle the even one of the exact binary value, as Python's
  /// `round` does.
  static func rounded(_ value: Double, decimals: Int) -> Double {
    let scale = Double(powersOfTen[decimals])
    let scaled = value * scale
    // Beyond 2^53 neighbours are further apart than decimals.
    guard abs(scaled) < 0x1p53 else { return value }
    // What the multiplication lost, exactly.
    let lost = (-scaled).addingProduct(value, scale)
    let floor = scaled.rounded(.down)
    let beyondMiddle = scaled - floor - 0.5
    let isUp =
      beyondMiddle != 0
      ? beyondMiddle > 0 : lost != 0 ? lost > 0 : floor.remainder(dividingBy: 2) != 0
    return (isUp ? floor + 1 : floor) / scale
  }

  /// The text as a double, not rounded; nil where it is none.
  static func exactly(_ bytes: Span<UInt8>) -> Double? {
    guard bytes.count <= 400 else { return nil }
    var text = ""
    for index in bytes.indices { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
    return Double(text)
  }

  /// The value as a double; nil where there is none.
  var value: Double? {
    switch self {
    case .whole(let number): Double(number)
    case .decimal(let number): number
    case .notFinite, .unreadable: nil
    }
  }
}

extension ByteBuffer {
  /// Appends a number as JSON: a whole one without a decimal point, another as its shortest text that reads the same.
  mutating func append(_ number: LogNumber) {
    switch number {
    case .whole(let value): append(whole: value)
    case .decimal(let value): append(decimal: value)
    case .notFinite, .unreadable: append("null")
    }
  }

  mutating func append(whole value: Int64) {
    if value < 0 { append(UInt8(ascii: "-")) }
    append(digitsOf: value.magnitude)
  }

  /// A fraction's digits, where it has few, are quicker by arithmetic than by the general way.
  private mutating func append(decimal value: Double) {
    let thousandths = (value * 1000).rounded()
    guard abs(thousandths) < 1e15, thousandths / 1000 == value, value.sign == .plus || value < 0 else {
      append(value.description)
      return
    }
    if value < 0 { append(UInt8(ascii: "-")) }
    let (whole, rest) = UInt64(abs(thousandths)).quotientAndRemainder(dividingBy: 1000)
    append(digitsOf: whole)
    append(UInt8(ascii: "."))
    append(digitsOf: rest, atLeast: 3)
    while self[count - 1] == UInt8(ascii: "0"), self[count - 2] != UInt8(ascii: ".") { removeLast() }
  }
}
