extension Double {
  /// This number with exactly `decimals` (0 to 9) digits after the point, rounded as printf(3)'s `%.Nf` does:
  /// to the nearest, the exact binary value deciding, ties to even. `nan`, `inf` and `-inf` as they are.
  public func fixed(_ decimals: Int) -> String {
    guard isFinite else { return description }
    let sign = self.sign == .minus ? "-" : ""
    let scale = Self.scales[decimals]
    guard magnitude < 0x1p53 else {
      return sign + Self.large(magnitude)
        + (decimals > 0 ? "." + String(repeating: "0", count: decimals) : "")
    }
    // magnitude = significand * 2^-shift with a significand below 2^53, so the product is exact.
    let isSubnormal = exponentBitPattern == 0
    let significand = significandBitPattern | (isSubnormal ? 0 : 1 << 52)
    let shift = 1075 - max(1, Int(exponentBitPattern))
    let scaled = (UInt128(significand) * UInt128(scale)).roundedShift(right: shift)
    let (whole, part) =
      UInt64(exactly: scaled)?.quotientAndRemainder(dividingBy: scale)
      ?? (UInt64(scaled / UInt128(scale)), UInt64(scaled % UInt128(scale)))
    return Self.text(isNegative: self.sign == .minus, whole, part, decimals)
  }

  /// The digits from the last to the first, without a string for each part.
  private static func text(isNegative: Bool, _ whole: UInt64, _ part: UInt64, _ decimals: Int) -> String {
    // A sign, 16 digits at most, a point, nine digits.
    var bytes = [UInt8](repeating: 0, count: 32)
    var start = bytes.count
    func put(_ byte: UInt8) {
      start -= 1
      bytes[start] = byte
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
    return String(decoding: bytes[start...], as: UTF8.self)
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
