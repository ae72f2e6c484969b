import Lab
import Model
import Testing

@testable import Netfilter

@Suite struct SocketsFileTests {
  static let tcp = SocketFile(name: "tcp", transport: .tcp, isV6: false)
  static let tcp6 = SocketFile(name: "tcp6", transport: .tcp, isV6: true)
  static let udp = SocketFile(name: "udp", transport: .udp, isV6: false)
  static let raw = SocketFile(name: "raw", transport: .raw, isV6: false)
  static let raw6 = SocketFile(name: "raw6", transport: .raw, isV6: true)
  static let icmp = SocketFile(name: "icmp", transport: .icmp, isV6: false)

  static let rest = " 00000000:00000000 00:00000000 00000000 "
  static let anyV6 = "00000000000000000000000000000000"
  static let mapped = "0000000000000000FFFF00000100007F"

  static let lines: [(SocketFile, String, SocketEntry)] = [
    (
      tcp, "   0: 0100007F:46A0 00000000:0000 0A\(rest)    0        0 205428 1 00000000eff090d0 100 0 0 10 0",
      entry(.tcp, .listening, ("127.0.0.1", 18080), ("0.0.0.0", 0), 205_428)
    ),
    (
      tcp, "   3: 0100007F:9C40 0101A8C0:01BB 01\(rest) 1000        0 205429 2 00000000f2a3955f 20 0 0 10 -1",
      entry(.tcp, .open, ("127.0.0.1", 40000), ("192.168.1.1", 443), 205_429, uid: 1000)
    ),
    (
      tcp,
      "   4: 0100007F:AF04 0100007F:46A0 06 00000000:00000000 03:0000176F 00000000     0        0 0 3 00000000cc",
      entry(.tcp, .closing, ("127.0.0.1", 44804), ("127.0.0.1", 18080), 0)
    ),
    (
      tcp6,
      "   0: \(anyV6):46A2 \(anyV6):0000 0A\(rest)    0        0 205432 2 00000000ce4c5ffe 100 0 0 10 0",
      entry(.tcp, .listening, ("::", 18082), ("::", 0), 205_432, isV6: true)
    ),
    (
      tcp6, "   2: \(mapped):46A2 \(mapped):9C41 01\(rest)    0        0 0 1 00000000e35d62c6 20 0 0 10 -1",
      entry(.tcp, .open, ("127.0.0.1", 18082), ("127.0.0.1", 40001), 0, isV6: true)
    ),
    (
      tcp6,
      "  99: B80D0120000000000000000001000000:0016 B80D0120000000000000000002000000:D431 08\(rest)    0        0 5",
      entry(.tcp, .open, ("2001:db8::1", 22), ("2001:db8::2", 54321), 5, isV6: true)
    ),
    (
      udp, "13028: 00000000:46A3 00000000:0000 07\(rest)    0        0 205434 2 00000000e47316bb 0        ",
      entry(.udp, .open, ("0.0.0.0", 18083), ("0.0.0.0", 0), 205_434)
    ),
    (
      raw, " 185: 00000000:0001 00000000:0000 07\(rest)    0        0 205435 2 0000000029b2a97d 0",
      entry(.icmp, .open, ("0.0.0.0", 0), ("0.0.0.0", 0), 205_435)
    ),
    (
      raw6, "   22: \(anyV6):00FD \(anyV6):0000 07\(rest)    0        0 4294967296 2 00000000f77734ee 0",
      entry(TransportProtocol(rawValue: 253), .open, ("::", 0), ("::", 0), 4_294_967_296, isV6: true)
    ),
    (
      icmp, "  104: 00000000:1267 0100007F:0000 01\(rest)4294967295        0 77 2 0 0",
      entry(.icmp, .open, ("0.0.0.0", 4711), ("127.0.0.1", 0), 77, uid: .max)
    ),
  ]

  @Test(arguments: lines)
  func `a line is decoded`(table: SocketFile, line: String, entry: SocketEntry) {
    #expect(decode(table, Array(line.utf8)) == entry)
  }

  @Test(arguments: lines)
  func `a line cut before its inode is malformed`(table: SocketFile, line: String, entry: SocketEntry) {
    let bytes = Array(line.utf8)
    for length in bytes.indices {
      guard let cut = decode(table, Array(bytes[..<length])) else { continue }
      // Only the inode's own digits may be cut without a trace.
      #expect(cut.local == entry.local && cut.remote == entry.remote && cut.uid == entry.uid)
      #expect(String(entry.inode).hasPrefix(String(cut.inode)))
    }
    for length in 0...60 { #expect(decode(table, Array(bytes[..<length])) == nil) }
  }

  @Test(arguments: lines)
  func `mutations are survived`(table: SocketFile, line: String, entry: SocketEntry) {
    var mutations = SplitMix64(seed: 12)
    var refused = 0
    for _ in 0..<5_000 where decode(table, mutations.mutate(Array(line.utf8))) == nil { refused += 1 }
    #expect(refused > 0 && refused < 5_000)
  }

  @Test(arguments: [
    "", " ", "0:", "sl  local_address rem_address   st", "0: G100007F:46A0 00000000:0000 0A", "????????",
    "0: 0100007F:46A0 00000000:0000 0A 0:0 00:0 0 -1 0 5",
    "0: 0100007F:46A0 00000000:0000 0A 0:0 00:0 0 1x 0 5",
    "0: 0100007F:46A0 00000000:0000 0A 0:0 00:0 0 4294967296 0 5",
    "0: 0100007F:46A0 00000000:0000 0A 0:0 00:0 0 1 0 18446744073709551616",
    "0: 0100007F:46A0 00000000:0000 0A 0:0 00:0 0 1 0 +5",
    "0: 0100007F-46A0 00000000:0000 0A 0:0 00:0 0 1 0 5",
    "0: 0100007F:46A 00000000:0000 0A 0:0 00:0 0 1 0 5", "0: 100007F:46A0 00000000:0000 0A 0:0 00:0 0 1 0 5",
  ])
  func `what is no line is refused`(line: String) {
    #expect(decode(Self.tcp, Array(line.utf8)) == nil)
    #expect(decode(Self.tcp6, Array(line.utf8)) == nil)
  }

  @Test func `a raw socket's protocol must fit the IP header`() {
    let line = " 185: 00000000:0101 00000000:0000 07\(Self.rest)    0        0 205435 2 0 0"
    #expect(decode(Self.raw, Array(line.utf8)) == nil)
  }

  private func decode(_ table: SocketFile, _ bytes: [UInt8]) -> SocketEntry? {
    table.decode(bytes.span)
  }

  private static func entry(
    _ transport: TransportProtocol, _ state: SocketEntry.State, _ local: (String, UInt16),
    _ remote: (String, UInt16), _ inode: UInt64, uid: UInt32 = 0, isV6: Bool = false
  ) -> SocketEntry {
    SocketEntry(
      transport: transport, isV6: isV6, state: state, local: SocketsRecorded.endpoint(local.0, local.1),
      remote: SocketsRecorded.endpoint(remote.0, remote.1), inode: inode, uid: uid)
  }
}
