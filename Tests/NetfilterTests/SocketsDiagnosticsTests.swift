import Lab
import Model
import Testing

@testable import Netfilter

@Suite struct SocketsDiagnosticsTests {
  private func decode(
    _ bytes: [UInt8], _ transport: TransportProtocol
  ) -> (entry: SocketEntry?, counts: SocketDiagnostics.Counts) {
    var counts = SocketDiagnostics.Counts()
    let entry = SocketDiagnostics.decode(unsafe bytes.span.bytes, of: transport, counts: &counts)
    return (entry, counts)
  }

  @Test(arguments: SocketsRecorded.answers + SocketsRecorded.sctp)
  func `an answer is decoded whole`(answer: SocketsRecorded.Answer) {
    let (entry, counts) = decode(answer.bytes, answer.transport)
    #expect(entry == answer.entry)
    #expect(counts == SocketDiagnostics.Counts())
  }

  @Test(arguments: SocketsRecorded.answers + SocketsRecorded.sctp)
  func `every prefix is an entry or malformed, never both silent`(answer: SocketsRecorded.Answer) {
    for length in 0..<answer.bytes.count {
      let (entry, counts) = decode(Array(answer.bytes[..<length]), answer.transport)
      #expect((entry != nil) == (length >= 72), "\(length) bytes")
      if length < 72 { #expect(counts.malformed == 1) }
      // An answer that ends inside an attribute still tells who the socket is.
      if length >= 72 { #expect(entry?.inode == answer.entry.inode) }
    }
  }

  @Test(arguments: SocketsRecorded.answers + SocketsRecorded.sctp)
  func `mutations are survived and counted at most once each`(answer: SocketsRecorded.Answer) {
    var mutations = SplitMix64(seed: 11)
    for _ in 0..<5_000 {
      let bytes = mutations.mutate(answer.bytes)
      let (entry, counts) = decode(bytes, answer.transport)
      #expect(counts.malformed <= 1)
      #expect(entry != nil || counts.malformed == 1)
    }
  }

  @Test func `attributes of a newer kernel are counted and passed over`() throws {
    let answer = try #require(SocketsRecorded.answers.first)
    // Type 23, then 16383; each without payload.
    let (entry, counts) = decode(answer.bytes + [4, 0, 23, 0, 4, 0, 0xff, 0x3f], answer.transport)
    #expect(entry == answer.entry)
    #expect(counts == SocketDiagnostics.Counts(malformed: 0, unknownAttributes: 2))
  }

  @Test(
    arguments: [
      // A length of zero, one below the header's, one past the end; an attribute without its byte.
      ([0, 0, 11, 0], 1), ([3, 0, 11, 0], 1), ([200, 0, 11, 0], 1), ([4, 0, 11, 0], 0), ([4, 0, 10, 0], 0),
    ] as [([UInt8], UInt64)])
  func `an impossible attribute ends the walk`(attribute: [UInt8], malformed: UInt64) throws {
    let answer = try #require(SocketsRecorded.answers.first)
    let (entry, counts) = decode(Array(answer.bytes[..<72]) + attribute, answer.transport)
    #expect(entry == answer.entry)
    #expect(counts.malformed == malformed)
  }

  @Test(arguments: [UInt8](0...1) + [3, 9, 11, 255])
  func `another address family is malformed`(family: UInt8) throws {
    var bytes = try #require(SocketsRecorded.answers.first).bytes
    bytes[0] = family
    let (entry, counts) = decode(bytes, .tcp)
    #expect(entry == nil)
    #expect(counts.malformed == 1)
  }

  @Test(
    arguments: [
      // state, with an inode, without
      (1, .open, .open), (2, .open, .open), (3, .open, .open), (4, .open, .closing), (5, .open, .closing),
      (6, .open, .closing), (7, .open, .closing), (8, .open, .open), (9, .open, .closing),
      (10, .listening, .listening), (11, .open, .closing), (12, .open, .open), (0, .open, .closing),
      (255, .open, .closing),
    ] as [(UInt8, SocketEntry.State, SocketEntry.State)])
  func `states of TCP`(number: UInt8, held: SocketEntry.State, unheld: SocketEntry.State) {
    #expect(SocketEntry.State(number: number, transport: .tcp, inode: 7) == held)
    #expect(SocketEntry.State(number: number, transport: .tcp, inode: 0) == unheld)
    #expect(SocketEntry.State(number: number, transport: .dccp, inode: 7) == held)
    #expect(SocketEntry.State(number: number, transport: .dccp, inode: 0) == unheld)
    #expect(SocketEntry.State(number: number, transport: .udp, inode: 0) == .open)
    #expect(SocketEntry.State(number: number, transport: .raw, inode: 7) == .open)
  }

  @Test func `the request is inet_diag_req_v2`() {
    let request = SocketDiagnostics.request(family: 10, transport: .udp)
    #expect(request.bytes.count == 16 + 56)
    // Length, SOCK_DIAG_BY_FAMILY, REQUEST and DUMP, sequence, port; family, protocol, no extensions, states.
    #expect(
      Array(request.bytes[..<24])
        == [72, 0, 0, 0, 20, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 10, 17, 0, 0, 0xfe, 0x1f, 0, 0])
    #expect(request.bytes[24...].allSatisfy { $0 == 0 })
  }

  @Test func `the request for TCP of both families is inet_diag_req`() {
    let request = SocketDiagnostics.requestOfBothFamilies()
    #expect(request.bytes.count == 16 + 60)
    // Length, TCPDIAG_GETSOCK, REQUEST and DUMP; the states stand behind the family and struct inet_diag_sockid.
    #expect(Array(request.bytes[..<8]) == [76, 0, 0, 0, 18, 0, 1, 3])
    #expect(Array(request.bytes[68..<72]) == [0xfe, 0x1f, 0, 0])
    #expect((request.bytes[8..<68] + request.bytes[72...]).allSatisfy { $0 == 0 })
  }

  @Test func `a DCCP socket is decoded as a TCP socket is`() throws {
    for answer in SocketsRecorded.answers where answer.transport == .tcp {
      var expected = answer.entry
      expected.transport = .dccp
      #expect(decode(answer.bytes, .dccp).entry == expected)
    }
  }
}
