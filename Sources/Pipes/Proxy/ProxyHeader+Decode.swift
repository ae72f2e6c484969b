import Model

extension ProxyHeader {
  /// What the first bytes of a connection are.
  enum Decoding: Sendable, Hashable {
    /// A header of this many bytes.
    case complete(ProxyHeader, length: Int)
    /// The beginning of a header.
    case incomplete
    /// No header, and why.
    case malformed(String)
  }

  /// Reads a header at the start of `bytes`, which may go on behind it.
  static func decode(_ bytes: ArraySlice<UInt8>) -> Decoding {
    if bytes.isEmpty { return .incomplete }
    if bytes.first == signature[0] { return decodeBinary(bytes) }
    return decodeLine(bytes)
  }

  private static func decodeLine(_ bytes: ArraySlice<UInt8>) -> Decoding {
    guard zip(bytes, word).allSatisfy(==) else { return .malformed("it does not begin with PROXY") }
    guard let end = bytes.prefix(longestLine).firstIndex(of: 0x0a) else {
      return bytes.count < longestLine
        ? .incomplete : .malformed("its line is longer than \(longestLine) bytes")
    }
    let length = end + 1 - bytes.startIndex
    guard length >= 2, bytes[end - 1] == 0x0d else { return .malformed("its line does not end with CR LF") }
    let words = bytes[..<(end - 1)].split(separator: 0x20, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard words.count >= 2 else { return .malformed("its line has no protocol") }
    if words[1] == "UNKNOWN" { return .complete(ProxyHeader(ends: nil), length: length) }
    guard words[1] == "TCP4" || words[1] == "TCP6" else {
      return .malformed("its protocol is not TCP4 or TCP6")
    }
    let isV4 = words[1] == "TCP4"
    guard words.count == 6, let source = address(words[2], isV4), let destination = address(words[3], isV4)
    else {
      return .malformed("its addresses are not those of \(words[1])")
    }
    guard let sourcePort = port(words[4]), let destinationPort = port(words[5]) else {
      return .malformed("its ports are not numbers up to 65535")
    }
    let ends = Ends(
      source: Endpoint(address: source, port: sourcePort),
      destination: Endpoint(address: destination, port: destinationPort))
    return .complete(ProxyHeader(ends: ends), length: length)
  }

  private static func address(_ text: String, _ isV4: Bool) -> IPAddress? {
    text.utf8.contains(UInt8(ascii: ":")) == isV4 ? nil : IPAddress(text)
  }

  /// Digits without leading zeros.
  private static func port(_ text: String) -> UInt16? {
    guard text.utf8.count <= 5, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return text.utf8.first == 0x30 && text != "0" ? nil : UInt16(text)
  }

  private static func decodeBinary(_ bytes: ArraySlice<UInt8>) -> Decoding {
    guard zip(bytes, signature).allSatisfy(==) else { return .malformed("its signature is wrong") }
    guard bytes.count >= 16 else { return .incomplete }
    let start = bytes.startIndex
    guard bytes[start + 12] >> 4 == 2 else { return .malformed("its version is not 2") }
    let command = bytes[start + 12] & 0xf
    guard command <= 1 else { return .malformed("its command is neither LOCAL nor PROXY") }
    let family = bytes[start + 13]
    let length = 16 + Int(bytes[start + 14]) << 8 + Int(bytes[start + 15])
    guard length <= longest else { return .malformed("it is longer than \(longest) bytes") }
    let size: Int? = family == 0x11 ? 4 : family == 0x21 ? 16 : nil
    if command == 1, let size, length < 16 + 2 * size + 4 {
      return .malformed("it is too short for its addresses")
    }
    guard bytes.count >= length else { return .incomplete }
    guard command == 1, let size else { return .complete(ProxyHeader(ends: nil), length: length) }
    let addresses = bytes[(start + 16)...]
    let ports = addresses.dropFirst(2 * size)
    let ends = Ends(
      source: Endpoint(
        address: address(addresses.prefix(size)), port: UInt16(truncatingIfNeeded: number(ports.prefix(2)))),
      destination: Endpoint(
        address: address(addresses.dropFirst(size).prefix(size)),
        port: UInt16(truncatingIfNeeded: number(ports.dropFirst(2).prefix(2)))))
    return .complete(ProxyHeader(ends: ends), length: length)
  }

  private static func address(_ bytes: ArraySlice<UInt8>) -> IPAddress {
    if bytes.count == 4 { return IPAddress(v4: UInt32(truncatingIfNeeded: number(bytes))) }
    return IPAddress(high: number(bytes.prefix(8)), low: number(bytes.suffix(8)))
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}
