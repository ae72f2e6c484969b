import Model
import SystemRuntime
import Testing

@testable import Probes

/// Echo messages: what is written is read again, what is not ours is told apart.
@Suite struct EchoPacketTests {
  private let packet = EchoPacket(secret: 0x1122_3344_5566_7788)
  private let token = EchoToken(target: 0x0102_0304, round: 7, number: 9)

  private func request(
    _ family: EchoSocket.Family, sequence: UInt16 = 5, token: EchoToken? = nil, payload: Int = 41
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    packet.write(
      family, identifier: 0xbeef, sequence: sequence, token: token ?? self.token, payload: payload, to: &bytes
    )
    return bytes
  }

  @Test func `a request to the byte`() {
    #expect(
      request(.v4, payload: 20) == [
        8, 0, 0xc9, 0x8a,  // type, code, checksum
        0xbe, 0xef, 0, 5,  // identifier, sequence number
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,  // the secret
        1, 2, 3, 4, 0, 7, 0, 9,  // target, round, number
        0x3f, 0xfa,  // makes the checksum of all requests to a target the same
        26, 27,  // the rest of the payload
      ])
    #expect(request(.v6, payload: 0).prefix(2) == [128, 0])
  }

  @Test(arguments: [0, 1, 8, 17, 18, 41, 56, 1472])
  func `a payload has the length that is wanted, and the checksum is right`(payload: Int) {
    let bytes = request(.v4, payload: payload)
    #expect(bytes.count == 8 + payload)
    // RFC 1071: the sum over a message with its checksum is all ones.
    #expect(EchoPacket.sum(of: bytes) == 0xffff)
  }

  @Test func `all requests to a target have one checksum, so that they take one path`() {
    var sums: Set<[UInt8]> = []
    for sequence in stride(from: UInt16(0), through: .max, by: 257) {
      let token = EchoToken(target: 3, round: sequence &* 3, number: sequence &+ 1)
      sums.insert(Array(request(.v4, sequence: sequence, token: token)[2..<4]))
    }
    #expect(sums.count == 1)
  }

  @Test func `each flow has a checksum of its own`() {
    var sums: Set<[UInt8]> = []
    for flow in ProbeJob.Trace.flowCounts.map({ $0 - 1 }) {
      var ofFlow: Set<[UInt8]> = []
      for number in UInt16(0)...40 {
        var bytes: [UInt8] = []
        packet.ofFlow(flow).write(
          .v4, identifier: 7, sequence: number, token: EchoToken(target: 3, round: 1, number: number),
          payload: 32, to: &bytes)
        ofFlow.insert(Array(bytes[2..<4]))
        bytes[0] = 0
        bytes[2] ^= 8
        #expect(packet.ofFlow(flow).reply(bytes, .v4, hasHeader: false)?.token?.number == number)
        // The balance of another flow does not fit.
        #expect(packet.ofFlow(flow + 1).reply(bytes, .v4, hasHeader: false)?.token == nil)
      }
      #expect(ofFlow.count == 1)
      sums.formUnion(ofFlow)
    }
    #expect(sums.count == 64)
  }

  private func reply(_ family: EchoSocket.Family, _ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
    var bytes = request(family)
    bytes[0] = family == .v4 ? 0 : 129
    change(&bytes)
    return bytes
  }

  @Test(arguments: [EchoSocket.Family.v4, .v6])
  func `a reply names its request`(family: EchoSocket.Family) {
    let reference = packet.reply(reply(family), family, hasHeader: false)
    #expect(reference == .init(identifier: 0xbeef, sequence: 5, token: token, isForeign: false))
  }

  @Test(arguments: [EchoSocket.Family.v4, .v6])
  func `a host may return less than it was sent`(family: EchoSocket.Family) {
    for length in 24...49 {
      let reference = packet.reply(Array(reply(family).prefix(length)), family, hasHeader: false)
      #expect(reference?.token == token, "\(length)")
    }
  }

  @Test(arguments: 0...20)
  func `a reply of any payload is ours`(payload: Int) {
    var bytes = request(.v6, payload: payload)
    bytes[0] = 129
    let reference = packet.reply(bytes, .v6, hasHeader: false)
    #expect(reference?.isForeign == false && reference?.sequence == 5)
    #expect((reference?.token == token) == (payload >= EchoPacket.cookieSize))
  }

  @Test func `behind an IP header, with options or without`() {
    let plain = Self.datagram(reply(.v4))
    let optional = Self.datagram(reply(.v4), options: 4)
    for bytes in [plain, optional] {
      #expect(packet.reply(bytes, .v4, hasHeader: true)?.token == token)
    }
    for first: UInt8 in [0x65, 0x44, 0x40] {
      let wrong = [first] + plain.dropFirst()
      #expect(packet.reply(wrong, .v4, hasHeader: true) == nil)
    }
  }

  /// A reply with its checksum behind an IP header.
  private static func datagram(_ reply: [UInt8], options: Int = 0) -> [UInt8] {
    var reply = reply
    reply[2...3] = [0, 0]
    let sum = ~EchoPacket.sum(of: reply)
    reply[2...3] = [UInt8(sum >> 8), UInt8(sum & 0xff)]
    let length = UInt8(20 + options + reply.count)
    return [0x45 + UInt8(options / 4), 0, 0, length] + [UInt8](repeating: 0, count: 16 + options) + reply
  }

  @Test(arguments: [41, 42])
  func `behind an IP header the checksum must be right, unless the message was cut`(payload: Int) {
    var request = request(.v4, payload: payload)
    request[0] = 0
    let bytes = Self.datagram(request)
    #expect(packet.reply(bytes, .v4, hasHeader: true)?.token == token)
    for index in 20..<bytes.count {
      var spoilt = bytes
      spoilt[index] ^= 1
      #expect(packet.reply(spoilt, .v4, hasHeader: true) == nil, "\(index)")
    }
    #expect(packet.reply(Array(bytes.dropLast(8)), .v4, hasHeader: true)?.token == token)
    #expect(packet.reply([0x45] + [UInt8](repeating: 0, count: 60), .v4, hasHeader: true) == nil)
  }

  struct Foreign: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var change: @Sendable (inout [UInt8]) -> Void
    var reference: EchoPacket.Reference?
  }

  @Test(arguments: [
    Foreign(testDescription: "a request", change: { $0[0] = 8 }, reference: nil),
    Foreign(testDescription: "another code", change: { $0[1] = 1 }, reference: nil),
    Foreign(
      testDescription: "another secret", change: { $0[8] = 0 },
      reference: .init(identifier: 0xbeef, sequence: 5, token: nil, isForeign: true)),
    Foreign(
      testDescription: "the sequence number of another request", change: { $0[7] = 6 },
      reference: .init(identifier: 0xbeef, sequence: 6, token: nil, isForeign: true)),
    Foreign(
      testDescription: "the token of another request", change: { $0[23] = 8 },
      reference: .init(identifier: 0xbeef, sequence: 5, token: nil, isForeign: true)),
    Foreign(
      testDescription: "cut behind the header", change: { $0 = Array($0.prefix(8)) },
      reference: .init(identifier: 0xbeef, sequence: 5, token: nil, isForeign: false)),
    Foreign(
      testDescription: "cut in the token", change: { $0 = Array($0.prefix(20)) },
      reference: .init(identifier: 0xbeef, sequence: 5, token: nil, isForeign: false)),
    Foreign(testDescription: "cut in the header", change: { $0 = Array($0.prefix(7)) }, reference: nil),
    Foreign(testDescription: "empty", change: { $0 = [] }, reference: nil),
  ])
  func `what is not a whole reply of ours`(foreign: Foreign) {
    let bytes = reply(.v4, foreign.change)
    #expect(packet.reply(bytes, .v4, hasHeader: false) == foreign.reference)
  }

  @Test func `a request that an error quotes, also with no more than eight bytes`() {
    let bytes = request(.v4)
    #expect(packet.quoted(bytes, .v4)?.token == token)
    let short = Array(bytes.prefix(8))
    #expect(
      packet.quoted(short, .v4)
        == .init(identifier: 0xbeef, sequence: 5, token: nil, isForeign: false))
    #expect(packet.quoted(reply(.v4), .v4) == nil)
  }

  @Test(arguments: [0, 14, 20, 34, 54])
  func `a sent message comes back behind the headers of lower layers`(headers: Int) {
    let bytes = [UInt8](repeating: 0x11, count: headers) + request(.v4)
    #expect(packet.sent(bytes) == token)
    #expect(packet.sent([UInt8](repeating: 0x11, count: headers)) == nil)
  }

  @Test func `every prefix and many changes are read without a trap`() {
    var random = SystemRandomNumberGenerator()
    let bytes = Self.datagram(reply(.v4))
    for length in 0...bytes.count {
      let prefix = Array(bytes.prefix(length))
      _ = packet.reply(prefix, .v4, hasHeader: true)
      _ = packet.quoted(prefix, .v6)
      _ = packet.sent(prefix)
    }
    for _ in 0..<10_000 {
      var changed = bytes
      changed[Int.random(in: 0..<changed.count, using: &random)] = .random(in: 0 ... .max, using: &random)
      _ = packet.reply(changed, .v4, hasHeader: true)
    }
  }
}

extension EchoPacket {
  fileprivate static func sum(of bytes: [UInt8]) -> UInt16 { sum(bytes.span) }

  fileprivate func reply(_ bytes: [UInt8], _ family: EchoSocket.Family, hasHeader: Bool) -> Reference? {
    // In bounds: the span is the array's own.
    unsafe reply(bytes.span.bytes, family, hasHeader: hasHeader)
  }

  fileprivate func quoted(_ bytes: [UInt8], _ family: EchoSocket.Family) -> Reference? {
    unsafe quoted(bytes.span.bytes, family)
  }

  fileprivate func sent(_ bytes: [UInt8]) -> EchoToken? { unsafe sent(bytes.span.bytes) }
}
