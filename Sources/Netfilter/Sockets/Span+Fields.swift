/// Numbers and words of a line of /proc; positions only go forward, and never past the end.
extension Span<UInt8> {
  /// Moves past spaces.
  @inline(__always)
  func skipSpaces(_ position: inout Int) {
    while position < count, self[position] == 0x20 { position += 1 }
  }

  /// Moves past spaces, then past everything up to the next space; false when there was nothing.
  @inline(__always)
  func skipWord(_ position: inout Int) -> Bool {
    skipSpaces(&position)
    let start = position
    while position < count, self[position] != 0x20 { position += 1 }
    return position > start
  }

  /// Moves past `byte`; false when something else stands here.
  @inline(__always)
  func skip(_ byte: UInt8, _ position: inout Int) -> Bool {
    guard position < count, self[position] == byte else { return false }
    position += 1
    return true
  }

  /// The word of decimal digits after any spaces; nil for anything else, or when it does not fit.
  @inline(__always)
  package func decimal(_ position: inout Int) -> UInt64? {
    skipSpaces(&position)
    let start = position
    var value: UInt64 = 0
    while position < count, case let digit = self[position] &- 0x30, digit < 10 {
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tenfold.addingReportingOverflow(UInt64(digit))
      if overflow || carry { return nil }
      value = sum
      position += 1
    }
    guard position > start, position == count || self[position] == 0x20 else { return nil }
    return value
  }

  /// Exactly `digits` (at most 8) hexadecimal digits; nil for anything else.
  @inline(__always)
  func hexadecimal(_ position: inout Int, digits: Int) -> UInt32? {
    guard digits <= count - position else { return nil }
    var value: UInt32 = 0
    for index in position..<position + digits {
      guard let digit = Self.hexadecimalDigit(self[index]) else { return nil }
      value = value << 4 | digit
    }
    position += digits
    return value
  }

  @inline(__always)
  private static func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x30...0x39: UInt32(byte - 0x30)
    case 0x41...0x46: UInt32(byte - 0x37)
    case 0x61...0x66: UInt32(byte - 0x57)
    default: nil
    }
  }
}
