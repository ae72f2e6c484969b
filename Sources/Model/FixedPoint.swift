extension Double {
  /// This number with exactly `decimals` (0 to 9) digits after the point, rounded as printf(3)'s `%.Nf` does:
  /// to the nearest, the exact binary value deciding, ties to even. `nan`, `inf` and `-inf` as they are.
  public func fixed(_ decimals: Int) -> String {
    var bytes: [UInt8] = []
    appendFixed(decimals, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends this number as `fixed` has it: text of many numbers needs no string for each.
  public func appendFixed(_ decimals: Int, to bytes: inout [UInt8]) {
    guard isFinite else { return bytes.append(contentsOf: description.utf8) }
    guard magnitude < 0x1p53 else {
      let zeros = decimals > 0 ? "." + String(repeating: "0", count: decimals) : ""
      return bytes.append(contentsOf: ((sign == .minus ? "-" : "") + Self.large(magnitude) + zeros).utf8)
    }
    let (whole, part) = scaled(by: Self.scales[decimals])
    Self.append(isNegative: sign == .minus, whole, part, decimals, to: &bytes)
  }

  /// This number's magnitude in units of 1 / `scale`, rounded: whole numbers and the rest.
  private func scaled(by scale: UInt64) -> (whole: UInt64, part: UInt64) {
    // magnitude = significand * 2^-shift with a significand below 2^53, so the product is exact.
    if self == 0 { return (0, 0) }
    let isSubnormal = exponentBitPattern == 0
    let significand = significandBitPattern | (isSubnormal ? 0 : 1 << 52)
    let shift = 1075 - max(1, Int(exponentBitPattern))
    let product = significand.multipliedFullWidth(by: scale)
    // Most numbers need no arithmetic of 128 bits, which takes several times as long.
    if (1..<64).contains(shift), product.high >> UInt64(shift - 1) == 0 {
      let quotient = product.high << UInt64(64 - shift) | product.low >> UInt64(shift)
      let (rest, half) = (product.low & (1 << UInt64(shift) - 1), UInt64(1) << UInt64(shift - 1))
      let isUp = rest > half || (rest == half && quotient & 1 == 1)
      let rounded = quotient + (isUp ? 1 : 0)
      return (rounded / scale, rounded % scale)
    }
    let rounded = (UInt128(significand) * UInt128(scale)).roundedShift(right: shift)
    return (UInt64(rounded / UInt128(scale)), UInt64(rounded % UInt128(scale)))
  }

  /// The digits are made from the last to the first.
  private static func append(
    isNegative: Bool, _ whole: UInt64, _ part: UInt64, _ decimals: Int, to bytes: inout [UInt8]
  ) {
    // A sign, 16 digits at most, a point, nine digits.
    var digits = InlineArray<32, UInt8>(repeating: 0)
    var start = digits.count
    func put(_ byte: UInt8) {
      start -= 1
      digits[start] = byte
    }
    func put(_ value: UInt64, atLeast count: Int) {
      var (rest, digits) = (value, 0)
      while rest > 0 || digits < count {
        put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
        rest /= 10
        digits += 1
      }
    }
    put(part, atLeast: decimals)
    if decimals > 0 { put(UInt8(ascii: ".")) }
    put(whole, atLeast: 1)
    if isNegative { put(UInt8(ascii: "-")) }
    for index in start..<digits.count { bytes.append(digits[index]) }
  }

  /// Powers of ten.
  private static let scales: [UInt64] = (0...9).map { (0..<$0).reduce(1) { power, _ in power * 10 } }

  /// An integral number of at least 2^53: its significand, doubled as often as the exponent says, in limbs of nine
  /// decimal digits, the lowest first.
  private static func large(_ value: Double) -> String {
    if let small = UInt128(exactly: value) { return String(small) }
    var limbs = [UInt64(value.significandBitPattern | 1 << 52)]
    for _ in 0..<Int(value.exponent) - 52 {
      var carry: UInt64 = 0
      for index in limbs.indices {
        let doubled = limbs[index] * 2 + carry
        carry = doubled / 1_000_000_000
        limbs[index] = doubled % 1_000_000_000
      }
      if carry > 0 { limbs.append(carry) }
    }
    let rest = limbs.dropLast().reversed().map { limb in
      let digits = String(limb)
      return String(repeating: "0", count: 9 - digits.count) + digits
    }
    return String(limbs[limbs.count - 1]) + rest.joined()
  }
}

extension UInt128 {
  /// This number divided by 2 to the power `bits`, to the nearest, ties to even.
  fileprivate func roundedShift(right bits: Int) -> UInt128 {
    if bits <= 0 { return self << UInt128(-bits) }
    if bits > 126 { return 0 }
    let quotient = self >> UInt128(bits)
    let rest = self & ((1 << UInt128(bits)) - 1)
    let half = UInt128(1) << UInt128(bits - 1)
    return rest > half || (rest == half && quotient & 1 == 1) ? quotient + 1 : quotient
  }
}
