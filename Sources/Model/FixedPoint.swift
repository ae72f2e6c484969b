extension Double {
  /// This number with exactly `decimals` (0 to 9) digits after the point, rounded as printf(3)'s `%.Nf` does:
  /// to the nearest, the exact binary value deciding, ties to even. `nan`, `inf` and `-inf` as they are.
  public func fixed(_ decimals: Int) -> String {
    guard isFinite else { return description }
    let sign = self.sign == .minus ? "-" : ""
    if magnitude == 0 { return sign + "0" + Self.fraction(0, decimals) }
    let scale = (0..<decimals).reduce(UInt128(1)) { power, _ in power * 10 }
    guard magnitude < 0x1p53 else { return sign + Self.large(magnitude) + Self.fraction(0, decimals) }
    // magnitude = significand * 2^-shift with a significand below 2^53, so the product is exact.
    let isSubnormal = exponentBitPattern == 0
    let significand = significandBitPattern | (isSubnormal ? 0 : 1 << 52)
    let shift = 1075 - max(1, Int(exponentBitPattern))
    let product = UInt128(significand) * scale
    let scaled = product.roundedShift(right: shift)
    return sign + String(UInt64(scaled / scale)) + Self.fraction(UInt64(scaled % scale), decimals)
  }

  private static func fraction(_ value: UInt64, _ decimals: Int) -> String {
    if decimals == 0 { return "" }
    let digits = String(value)
    return "." + String(repeating: "0", count: decimals - digits.count) + digits
  }

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
