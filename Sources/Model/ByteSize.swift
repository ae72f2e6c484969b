/// A number of bytes as people write it: `10G`, `500M`, `1.5T`, `64 MiB`, `4096`; units are powers of 1024, upper or lower case, also as
/// `MB` or `MiB`.
public struct ByteSize: Sendable, Hashable {
  private static let units: [Character: Double] = [
    "K": 0x1p10, "M": 0x1p20, "G": 0x1p30, "T": 0x1p40, "P": 0x1p50,
  ]

  /// How many.
  public let bytes: Int64

  /// Reads a text; nil where it is none.
  public init?(_ text: String) {
    var text = text.uppercased()
    if text.hasSuffix("IB") { text.removeLast(2) } else if text.hasSuffix("B") { text.removeLast() }
    let unit = text.last.flatMap { Self.units[$0] }
    if unit != nil { text.removeLast() }
    while text.last == " " { text.removeLast() }
    guard let first = text.utf8.first, (0x30...0x39).contains(first), text.utf8.count <= 20,
      text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2e })
    else { return nil }
    // Whole numbers are taken as they are: a floating-point number holds them to 2^53 only.
    if unit == nil {
      guard let bytes = Int64(text) else { return nil }
      self.bytes = bytes
      return
    }
    guard let number = Double(text), let bytes = Int64(exactly: (number * (unit ?? 1)).rounded()) else {
      return nil
    }
    self.bytes = bytes
  }
}
