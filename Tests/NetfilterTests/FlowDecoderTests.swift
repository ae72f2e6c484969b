import CNetlink
import Glibc
import Lab
import Model
import Testing

@testable import Netfilter

@Suite struct FlowDecoderTests {
  /// What `decode` makes of the bytes after nlmsghdr.
  private static func decode(_ payload: [UInt8]) -> (flow: Flow?, malformed: UInt64) {
    var malformed: UInt64 = 0
    let flow = FlowDecoder.decode(unsafe payload.span.bytes, malformed: &malformed)
    return (flow, malformed)
  }

  @Test func `the recording has the traffic that was made`() {
    let flows = ConntrackFixture.messages.compactMap { Self.decode(ConntrackFixture.payload($0)).flow }
    #expect(flows.count == 11)
    #expect(Set(flows.map(\.original.transport.rawValue)) == [1, 6, 17, 47, 58, 136, 253])
    let tcp = flows.first { $0.original.transport == .tcp && $0.original.source.address.isV4 }
    #expect(tcp?.original.source.description == "127.0.0.1:41598")
    #expect(tcp?.reply.source.description == "127.0.0.1:8080")
    #expect(
      tcp?.counters
        == FlowCounters(originalBytes: 100_268, replyBytes: 164, originalPackets: 5, replyPackets: 3))
    #expect(tcp?.id == 0xfbe0_a5fb)
    let zoned = flows.first { $0.zone != 0 }
    #expect(zoned?.zone == 7 && zoned?.original.destination.port == 5353)
    let ping = flows.first { $0.original.transport == .icmp }
    #expect(ping?.original.source.port == 19849 && ping?.original.destination.port == 8 << 8)
    #expect(flows.contains { $0.original.source.description == "[::1]:56362" })
    // One for each bit of the status that says so.
    #expect(flows.filter(\.isOffloaded).map(\.id) == [0xe01, 0xe02])
  }

  @Test(arguments: ConntrackFixture.messages)
  func `each message reads as libnetfilter_conntrack reads it`(message: [UInt8]) throws {
    let flow = try #require(Self.decode(ConntrackFixture.payload(message)).flow)
    #expect(try Oracle.flow(message) == flow)
  }

  @Test(arguments: ConntrackFixture.messages)
  func `every prefix is read without a trap and what is missing is counted`(message: [UInt8]) {
    let payload = ConntrackFixture.payload(message)
    for count in 0..<payload.count {
      let result = Self.decode(Array(payload.prefix(count)))
      // A cut between two attributes cannot be told from a shorter message; any other cut is seen.
      if result.flow == nil { #expect(result.malformed > 0) }
    }
  }

  @Test func `random changes never trap or loop`() {
    var generator = SplitMix64(seed: 1)
    for message in ConntrackFixture.messages {
      let payload = ConntrackFixture.payload(message)
      for _ in 0..<5000 {
        var bytes = payload
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
          bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
        }
        _ = Self.decode(bytes)
      }
    }
  }

  /// TCP's states as linux/netfilter/nf_conntrack_tcp.h numbers them.
  @Test(
    arguments: [(1, false), (3, false), (4, false), (6, false), (7, true), (8, true), (9, false)]
      as [(UInt8, Bool)])
  func `a connection has closed once both have, or one has reset it`(state: UInt8, hasClosed: Bool) throws {
    var message = try #require(ConntrackFixture.messages.first { Self.stateOffset($0) != nil })
    let offset = try #require(Self.stateOffset(message))
    message[offset] = state
    let flow = try #require(Self.decode(ConntrackFixture.payload(message)).flow)
    #expect(flow.hasClosed == hasClosed)
    #expect(try Oracle.flow(message) == flow)
  }

  /// Where CTA_PROTOINFO_TCP_STATE has its value, in a message of a TCP connection.
  private static func stateOffset(_ message: [UInt8]) -> Int? {
    // Its attribute, 5 bytes of type 1, is the first in CTA_PROTOINFO_TCP, of type 1 too.
    message.indices.first {
      message[$0...].starts(with: [5, 0, 1, 0]) && message[..<$0].suffix(2) == [1, 0x80]
    }
    .map { $0 + 4 }
  }

  @Test func `hostile attributes`() {
    let header: [UInt8] = [2, 0, 0, 0]
    let table: [(name: String, attributes: [UInt8], malformed: UInt64)] = [
      ("nothing", [], 1),
      ("a length of zero", [0, 0, 1, 0, 0, 0, 0, 0], 1),
      ("a length below the header's", [3, 0, 1, 0], 1),
      ("a length beyond the end", [255, 255, 1, 0, 1, 2, 3, 4], 1),
      ("half a header", [8, 0, 1], 1),
      ("an unknown attribute", [8, 0, 99, 0, 1, 2, 3, 4], 1),
      ("an identifier of two bytes", [6, 0, 12, 0, 1, 2, 0, 0], 1),
      ("nested two hundred deep", Self.nested(200), 1),
    ]
    for row in table {
      let result = Self.decode(header + row.attributes)
      #expect(result.flow == nil, "\(row.name)")
      #expect(result.malformed >= row.malformed, "\(row.name)")
    }
  }

  /// Attributes of type 1, each the only content of the one before: the decoder's depth is its own.
  private static func nested(_ depth: Int) -> [UInt8] {
    (0..<depth).flatMap { level -> [UInt8] in
      let length = 4 * (depth - level)
      return [UInt8(length & 0xff), UInt8(length >> 8), 1, 0x80]
    }
  }

  @Test func `an unknown attribute before, between and after changes nothing`() throws {
    let message = try #require(ConntrackFixture.messages.first)
    let payload = ConntrackFixture.payload(message)
    let stranger: [UInt8] = [7, 0, 200, 0, 9, 9, 9, 0]
    let expected = Self.decode(payload)
    let first = Int(payload[4]) | Int(payload[5]) << 8
    let places = [4, 4 + (first + 3) & ~3, payload.count]
    for place in places {
      let result = Self.decode(payload[..<place] + stranger + payload[place...])
      #expect(result.flow == expected.flow && result.malformed == 0)
    }
  }
}
