import Model

/// What a MySQL or MariaDB server says to a new connection, before it is asked anything.
///
/// The packet is MySQL's `Protocol::HandshakeV10`, or an `ERR_Packet`: three bytes of length, lowest first, a sequence
/// number, then in a greeting 10 and the version up to a NUL; in an error 0xff, two bytes of a code and a text.
public enum MySQLGreeting: Sendable, Hashable {
  /// So far it may be one: read on, up to `maximumLength` bytes.
  case incomplete
  /// The version, without the `5.5.5-` that MariaDB writes before its own for old replicas.
  case version(String)
  /// It is none, or the server refuses: why.
  case missing(String)

  /// No more bytes are looked at; a greeting has about a hundred.
  public static let maximumLength = 4096

  /// Reads the bytes that a connection has brought so far, from its first.
  public init(_ bytes: [UInt8]) {
    self = bytes.withGreeting()
  }
}

extension [UInt8] {
  private static var header: Int { 4 }
  private static var errorHeader: Int { 3 }

  fileprivate func withGreeting() -> MySQLGreeting {
    let stranger = MySQLGreeting.missing("what answers does not speak MySQL's protocol")
    if count < 3 { return .incomplete }
    let length = Int(self[0]) | Int(self[1]) << 8 | Int(self[2]) << 16
    // Shorter than its first fields, or a length made of another protocol's text.
    guard (3...MySQLGreeting.maximumLength - Self.header).contains(length) else { return stranger }
    if count <= Self.header { return .incomplete }
    let packet = self[Self.header..<Swift.min(count, Self.header + length)]
    let isWhole = packet.count == length
    switch packet[Self.header] {
    case 0xff: return isWhole ? .missing(Self.refusal(packet)) : .incomplete
    case 10 where self[3] == 0:
      let text = packet.dropFirst()
      guard let end = text.firstIndex(of: 0) else { return isWhole ? stranger : .incomplete }
      guard let version = String(validating: text[..<end], as: UTF8.self), !version.isEmpty else {
        return stranger
      }
      return .version(version.withoutReplicationPrefix)
    default: return stranger
    }
  }

  /// Two bytes of a code, then the text, which some servers begin with `#` and five characters of an SQL state.
  private static func refusal(_ packet: ArraySlice<UInt8>) -> String {
    let bytes = packet.dropFirst(errorHeader)
    let code = Int(packet[packet.startIndex + 1]) | Int(packet[packet.startIndex + 2]) << 8
    let isMarked = bytes.first == UInt8(ascii: "#") && bytes.count >= 6
    let text = String(decoding: isMarked ? bytes.dropFirst(6) : bytes, as: UTF8.self).shortened(to: 200)
    return text.isEmpty ? "the server refuses: error \(code)" : "the server refuses: \(text) (error \(code))"
  }
}

extension String {
  /// MySQL itself had a 5.5.5, whose suffix is not another number.
  fileprivate var withoutReplicationPrefix: String {
    let prefix = "5.5.5-"
    guard hasPrefix(prefix), let next = dropFirst(prefix.count).first, ("0"..."9").contains(next) else {
      return self
    }
    return String(dropFirst(prefix.count))
  }
}
