import Model
import SystemRuntime

/// What a datagram of a trace by UDP has in it: a secret of this process, and the token of the request.
///
/// Routers quote what they drop, so that most answers name their request (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4). What
/// has another secret was not sent by this process.
struct TraceDatagram: Sendable {
  /// traceroute(8)'s packets have 60 bytes with IPv4's header.
  static let size = 32
  /// The bytes of secret and token.
  static let cookieSize = 16

  private let secret: UInt64

  /// Makes datagrams with the secret of this process.
  init(secret: UInt64) { self.secret = secret }

  /// The bytes of a request.
  func bytes(_ token: EchoToken) -> [UInt8] {
    let cookie = [secret, token.rawValue].flatMap { word in
      stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
    }
    return cookie + Array(repeating: 0x40, count: Self.size - Self.cookieSize)
  }

  /// What is quoted of a datagram.
  enum Quote: Sendable, Hashable {
    /// All that names the request.
    case request(EchoToken)
    /// Too little to name it.
    case nothing
    /// Another datagram.
    case foreign
  }

  /// Reads what an answer quotes behind the header of UDP.
  func quote(_ bytes: RawSpan) -> Quote {
    if bytes.loadBigEndian(0, as: UInt64.self) == secret, let token = bytes.loadBigEndian(8, as: UInt64.self)
    {
      return .request(EchoToken(rawValue: token))
    }
    let known = (0..<min(bytes.byteCount, Self.cookieSize)).compactMap { bytes.load($0, as: UInt8.self) }
    // Who quotes less may fill up with zeros (RFC 4884 section 5.5).
    let isEmpty = known.allSatisfy { $0 == 0 }
    let isStart = known.prefix(8).enumerated().allSatisfy { index, byte in
      byte == UInt8(truncatingIfNeeded: secret >> UInt64(56 - 8 * index))
    }
    return isEmpty || isStart ? .nothing : .foreign
  }
}
