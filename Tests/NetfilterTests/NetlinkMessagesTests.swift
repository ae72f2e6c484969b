import Model
import SystemRuntime
import Testing

@testable import Netfilter

/// The frames of netlink(7): 16 bytes of header, a length that counts them, each message aligned to 4 bytes.
@Suite struct NetlinkMessagesTests {
  /// What a walk hands over.
  private struct Seen: Equatable {
    var type: UInt16
    var flags: UInt16
    var sequence: UInt32
    var payload: [UInt8]
  }

  private func walk(_ bytes: [UInt8]) -> (seen: [Seen], isWhole: Bool) {
    var seen: [Seen] = []
    let isWhole = forEachMessage(in: unsafe bytes.span.bytes) { header, payload in
      var copy: [UInt8] = []
      for index in 0..<payload.byteCount { payload.load(index, as: UInt8.self).map { copy.append($0) } }
      seen.append(Seen(type: header.type, flags: header.flags, sequence: header.sequence, payload: copy))
    }
    return (seen, isWhole)
  }

  /// A message; `length` is what its header claims.
  private static func message(_ type: UInt8, _ payload: [UInt8] = [], length: UInt32? = nil) -> [UInt8] {
    let claimed = length ?? UInt32(16 + payload.count)
    let head = (0..<4).map { UInt8(truncatingIfNeeded: claimed >> (8 * $0)) }
    let padding = [UInt8](repeating: 0, count: -payload.count & 3)
    // Type, flags 0x0102, sequence 7, port 9.
    return head + [type, 0, 2, 1, 7, 0, 0, 0, 9, 0, 0, 0] + payload + padding
  }

  private static let first = message(20, [1, 2, 3, 4])

  @Test func `a message is handed over with its header and payload`() {
    let (seen, isWhole) = walk(Self.first)
    #expect(seen == [Seen(type: 20, flags: 0x0102, sequence: 7, payload: [1, 2, 3, 4])] && isWhole)
  }

  @Test(arguments: [
    ("nothing", [], true), ("one byte", [0], false), ("half a header", [20, 0, 0, 0, 3, 0, 0, 0], false),
    ("a header without its last bytes", Array(message(3).dropLast(4)), false),
    ("a length of zero", message(3, length: 0), false),
    ("a length below the header's", message(3, length: 15), false),
    ("a length beyond the end", message(3, [1, 2, 3, 4], length: 24), false),
    ("the greatest length", message(3, length: .max), false),
    ("trailing bytes", [0, 0, 0], false),
  ])
  func `what makes no sense ends the walk after what came before`(name: String, tail: [UInt8], isWhole: Bool)
  {
    let result = walk(Self.first + tail)
    #expect(result.seen.map(\.type) == [20], "\(name)")
    #expect(result.isWhole == isWhole, "\(name)")
  }

  @Test func `many messages come in order, whatever their length`() {
    let payloads = (0..<200).map { length in [UInt8](repeating: UInt8(length), count: length) }
    let (seen, isWhole) = walk(payloads.flatMap { Self.message(5, $0) })
    #expect(seen.map(\.payload) == payloads && isWhole)
  }

  @Test func `the padding of the last message may be missing`() {
    let (seen, isWhole) = walk(Self.first + Self.message(5, [1]).dropLast(3))
    #expect(seen.map(\.payload) == [[1, 2, 3, 4], [1]] && isWhole)
  }

  @Test func `every prefix hands over whole messages only`() {
    let bytes = Self.first + Self.message(5, [1, 2, 3, 4]) + Self.message(6)
    for length in 0...bytes.count {
      let (seen, isWhole) = walk(Array(bytes[..<length]))
      let count = [20, 40, 56].count { $0 <= length }
      #expect(seen.map(\.type) == Array([UInt16(20), 5, 6].prefix(count)))
      #expect(isWhole == [0, 20, 40, 56].contains(length))
    }
  }

  @Test func `a request is written as the kernel reads it`() {
    var request = NetlinkRequest(
      type: 0x0a00, flags: NetlinkHeader.Flag.acknowledge,
      fixed: NetlinkRequest.nfgenmsg(family: 1, resource: 0x0203))
    request.add(1, text: "abcd")
    request.add(2, bigEndian: UInt32(0x0102_0304))
    request.addNested(4) { $0.add(1, [9]) }
    request.setSequence(0x0403_0201)
    #expect(
      request.bytes == [
        // Length 52, type, NLM_F_REQUEST and NLM_F_ACK, sequence, port 0 (the kernel).
        52, 0, 0, 0, 0x00, 0x0a, 0x05, 0x00, 1, 2, 3, 4, 0, 0, 0, 0,
        // struct nfgenmsg: family, version 0, resource in network order.
        1, 0, 2, 3,
        // A text with its NUL, padded; the length is without the padding.
        9, 0, 1, 0, 97, 98, 99, 100, 0, 0, 0, 0,
        // A number in network order.
        8, 0, 2, 0, 1, 2, 3, 4,
        // NLA_F_NESTED, with an attribute of one byte.
        12, 0, 4, 0x80, 5, 0, 1, 0, 9, 0, 0, 0,
      ])
    #expect(request.wantsAcknowledgement)
  }

  @Test func `a request without attributes and without an answer`() {
    let request = NetlinkRequest(type: 0x10, flags: 0, fixed: [])
    #expect(request.bytes == [16, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(!request.wantsAcknowledgement)
  }
}
