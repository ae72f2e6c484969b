public import Model

extension Rate {
  /// Reads `RATE[k|M|G]` in bytes per second, k being 1024; nil for anything else, and below one byte per second.
  public init?(limit text: String) {
    let units: [Character: Double] = [
      "k": 1024, "K": 1024, "m": 0x1p20, "M": 0x1p20, "g": 0x1p30, "G": 0x1p30,
    ]
    let factor = text.last.flatMap { units[$0] }
    let digits = factor == nil ? text[...] : text.dropLast()
    guard !digits.isEmpty, digits.count <= 20, digits.allSatisfy({ ("0"..."9").contains($0) || $0 == "." }),
      let number = Double(digits), case let value = number * (factor ?? 1), value >= 1, value <= 0x1p50
    else { return nil }
    self = .bytesPerSecond(value)
  }
}
