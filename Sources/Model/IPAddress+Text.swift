extension IPAddress: CustomStringConvertible {
  /// The usual text: dotted decimal, or RFC 5952's lower-case form with the longest run of zeros as `::`.
  public var description: String {
    if let v4Bits {
      return "\(v4Bits >> 24).\(v4Bits >> 16 & 255).\(v4Bits >> 8 & 255).\(v4Bits & 255)"
    }
    let groups = groups
    guard let zeros = longestZeroRun(in: groups) else { return text(groups[...]) }
    return text(groups[..<zeros.lowerBound]) + "::" + text(groups[zeros.upperBound...])
  }

  /// Reads dotted decimal or any form of RFC 4291, 2.2; nil for anything else.
  public init?(_ text: some StringProtocol) { self.init(utf8: Array(text.utf8)[...]) }

  /// The same, of a text in UTF-8.
  public init?(utf8 text: ArraySlice<UInt8>) {
    // The longest form has 45 characters: six groups and a dotted decimal.
    if text.count > 45 { return nil }
    if let bits = Self.parseV4(text) {
      self.init(v4: bits)
      return
    }
    guard let groups = Self.parseV6(String(decoding: text, as: UTF8.self)) else { return nil }
    let halves = groups.reduce(into: (UInt64(0), UInt64(0))) { halves, group in
      halves.0 = halves.0 << 16 | halves.1 >> 48
      halves.1 = halves.1 << 16 | UInt64(group)
    }
    self.init(high: halves.0, low: halves.1)
  }

  private var groups: [UInt16] {
    [high, low].flatMap { half in
      [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
    }
  }

  private func text(_ groups: ArraySlice<UInt16>) -> String {
    groups.map { String($0, radix: 16) }.joined(separator: ":")
  }

  private func longestZeroRun(in groups: [UInt16]) -> Range<Int>? {
    var best = 0..<0
    var start = 0
    for index in 0...groups.count where index == groups.count || groups[index] != 0 {
      if index - start > best.count { best = start..<index }
      start = index + 1
    }
    return best.count > 1 ? best : nil
  }

  /// Four numbers of one to three digits, with dots between them. One that begins with a zero is none: inet_aton(3), and so
  /// every resolver, takes it for octal.
  private static func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
    var (bits, numbers, digits, number) = (UInt32(0), 1, 0, UInt32(0))
    for byte in text {
      if byte == UInt8(ascii: ".") {
        guard digits > 0, numbers < 4 else { return nil }
        (bits, numbers, digits, number) = (bits << 8 | number, numbers + 1, 0, 0)
        continue
      }
      guard case let digit = byte &- UInt8(ascii: "0"), digit < 10 else { return nil }
      if digits > 0, number == 0 { return nil }
      (digits, number) = (digits + 1, number * 10 + UInt32(digit))
      guard digits <= 3, number <= 255 else { return nil }
    }
    return numbers == 4 && digits > 0 ? bits << 8 | number : nil
  }

  private static func parseV6(_ text: String) -> [UInt16]? {
    var sides = [[UInt16]]()
    var rest = Substring(text)
    var compressed = false
    if let gap = text.firstDoubleColon {
      compressed = true
      guard let left = parseGroups(text[..<gap], mayEndInV4: false) else { return nil }
      sides.append(left)
      rest = text[text.index(gap, offsetBy: 2)...]
    }
    guard let last = parseGroups(rest, mayEndInV4: true) else { return nil }
    sides.append(last)
    let known = sides.reduce(0) { $0 + $1.count }
    if !compressed { return known == 8 ? last : nil }
    guard known < 8 else { return nil }
    return sides[0] + Array(repeating: 0, count: 8 - known) + sides[1]
  }

  private static func parseGroups(_ text: Substring, mayEndInV4: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    var groups = [UInt16]()
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      if mayEndInV4, index == parts.count - 1, let v4 = parseV4(Array(part.utf8)[...]) {
        groups += [UInt16(v4 >> 16), UInt16(v4 & 0xffff)]
      } else if (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit),
        let group = UInt16(part, radix: 16)
      {
        groups.append(group)
      } else {
        return nil
      }
    }
    return groups
  }
}

extension String {
  fileprivate var firstDoubleColon: Index? {
    var previous: Index?
    for index in indices where self[index] == ":" {
      if let previous, self.index(after: previous) == index { return previous }
      previous = index
    }
    return nil
  }
}
