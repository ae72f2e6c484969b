import Lab
import Testing

@testable import Probes

/// What a router quotes of a datagram.
@Suite struct TraceDatagramTests {
  private static let datagram = TraceDatagram(secret: 0x1122_3344_5566_7788)
  private static let token = EchoToken(target: 7, round: 3, number: 2 << 8 | 9)

  private func quote(_ bytes: [UInt8]) -> TraceDatagram.Quote {
    Self.datagram.quote(unsafe bytes.span.bytes)
  }

  @Test func `a request to the byte`() {
    #expect(
      Self.datagram.bytes(Self.token) == [
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,  // the secret
        0, 0, 0, 7, 0, 3, 2, 9,  // target, round, number
      ] + Array(repeating: 0x40, count: 16))
  }

  @Test func `a request is named by what is quoted, or it is not`() {
    let bytes = Self.datagram.bytes(Self.token)
    for length in 0...bytes.count {
      let quote = quote(Array(bytes.prefix(length)))
      #expect(quote == (length < TraceDatagram.cookieSize ? .nothing : .request(Self.token)), "\(length)")
    }
    // What is behind it, such as a router's labels (RFC 4884), is not looked at.
    let more = bytes + Array(repeating: 0xff, count: 100)
    #expect(quote(more) == .request(Self.token))
  }

  @Test func `zeros instead of a datagram are nothing`() {
    for length in [1, 8, 15, 16, 100] {
      #expect(quote([UInt8](repeating: 0, count: length)) == .nothing)
    }
  }

  @Test(arguments: 0..<500) func `what is changed on its way names its request or none`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let whole = Self.datagram.bytes(Self.token)
    var bytes = whole
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
      case 1: bytes.insert(.random(in: 0...255, using: &random), at: bytes.startIndex)
      default:
        bytes.indices.randomElement(using: &random).map {
          bytes[$0] ^= UInt8.random(in: 1...255, using: &random)
        }
      }
    }
    let isOurs = bytes.count >= 16 && bytes.starts(with: whole.prefix(8))
    let isNamed = if case .request = quote(bytes) { true } else { false }
    #expect(isNamed == isOurs, "\(bytes)")
    if bytes.starts(with: whole.prefix(16)) { #expect(quote(bytes) == .request(Self.token)) }
  }

  @Test(arguments: 0..<8) func `another secret is another's`(position: Int) {
    var bytes = Self.datagram.bytes(Self.token)
    bytes[position] ^= 1
    for length in position + 1...bytes.count {
      #expect(quote(Array(bytes.prefix(length))) == .foreign, "\(length)")
    }
  }
}
