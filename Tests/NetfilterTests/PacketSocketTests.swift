import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter

/// Packet sockets (packet(7)): as sock_diag and as /proc/net/packet tell them.
@Suite struct PacketSocketTests {
  // struct packet_diag_msg: AF_PACKET, SOCK_RAW, EtherType 0x0003 (all), inode 0x00032274, cookie.
  private static let capture: [UInt8] = [17, 3, 3, 0, 0x74, 0x22, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0]
  private static let sender: [UInt8] = [17, 3, 0, 0, 0x75, 0x22, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0]
  // PACKET_DIAG_TX_RING and _RX_RING, struct packet_diag_ring.
  private static let sendRing: [UInt8] = [32, 0, 3, 0] + [UInt8](repeating: 0, count: 28)
  private static let receiveRing: [UInt8] = [32, 0, 2, 0] + [UInt8](repeating: 0, count: 28)

  private func decode(_ bytes: [UInt8]) -> (socket: PacketSocket?, malformed: UInt64) {
    var malformed: UInt64 = 0
    let socket = PacketDiagnostics.decode(unsafe bytes.span.bytes, malformed: &malformed)
    return (socket, malformed)
  }

  @Test(
    arguments: [
      ("a capture", capture, PacketSocket(inode: 205_428, etherType: 3), false),
      ("a capture with a ring", capture + receiveRing, PacketSocket(inode: 205_428, etherType: 3), false),
      ("a sender", sender, PacketSocket(inode: 205_429, etherType: 0), true),
      (
        "a ring to send", capture + receiveRing + sendRing,
        PacketSocket(inode: 205_428, etherType: 3, hasSendRing: true), true
      ),
    ] as [(String, [UInt8], PacketSocket, Bool)])
  func `an answer is decoded`(name: String, bytes: [UInt8], expected: PacketSocket, isSender: Bool) {
    let (socket, malformed) = decode(bytes)
    #expect(socket == expected && malformed == 0, "\(name)")
    #expect(socket?.isSender == isSender, "\(name)")
    for length in 0..<16 { #expect(decode(Array(bytes[..<length])) == (nil, 1), "\(name)") }
    var mutations = SplitMix64(seed: 31)
    for _ in 0..<2_000 {
      let (socket, malformed) = decode(mutations.mutate(bytes))
      #expect(malformed <= 1 && (socket != nil || malformed == 1), "\(name)")
    }
  }

  @Test(
    arguments: [
      (
        "00000000a1b2c3d4 3      3    0003   0     1 0      0      205428 ",
        PacketSocket(inode: 205_428, etherType: 3)
      ),
      (
        "0000000000000000 3      3    0000   2     1 0      1000   7",
        PacketSocket(inode: 7, etherType: 0)
      ),
      ("00 3 10 88cc 2 1 0 0 4294967296", PacketSocket(inode: 4_294_967_296, etherType: 0x88cc)),
      ("00 3 10 88cc 2 1 0 0", nil), ("00 3 10 88cc 2 1 0 0 x", nil), ("00 3 10 8g 2 1 0 0 7", nil),
      ("00 3 10", nil), ("", nil), ("sk RefCnt Type Proto Iface R Rmem User Inode", nil),
    ] as [(String, PacketSocket?)])
  func `a line of proc is decoded or refused`(line: String, expected: PacketSocket?) {
    let bytes = Array(line.utf8)
    #expect(PacketDiagnostics.decode(bytes.span) == expected)
    for length in 0..<min(bytes.count, 12) {
      #expect(PacketDiagnostics.decode(Array(bytes[..<length]).span) == nil)
    }
  }

  @Test func `the request is packet_diag_req`() {
    // Length, SOCK_DIAG_BY_FAMILY, REQUEST and DUMP, sequence, port; AF_PACKET; inode; rings; cookie.
    #expect(
      PacketDiagnostics.request.bytes
        == [36, 0, 0, 0, 20, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0]
        + [0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a machine without packet sockets has none`() {
    var table = PacketSocketTable(root: "/nonexistent", usesNetlink: false)
    #expect(table.read().isEmpty && table.malformed == 0)
  }

  @Test(.needs(.namespaces), arguments: [true, false])
  func `open packet sockets are found, with what they are for`(usesNetlink: Bool) async throws {
    let namespace = try await NetworkNamespace()
    let found = try await namespace.inside {
      let sender = try SocketsOpened(AF_PACKET, SOCK_RAW, .init(rawValue: 0), bindTo: nil)
      // The EtherType is in network order: 0x0300 is ETH_P_ALL.
      let capture = socket(AF_PACKET, CInt(SOCK_DGRAM.rawValue), CInt(UInt16(3).bigEndian))
      defer { close(capture) }
      var table = PacketSocketTable(root: "/proc/thread-self", usesNetlink: usesNetlink)
      var few = PacketSocketTable(root: "/proc/thread-self", usesNetlink: usesNetlink, limit: 1)
      return (table.read(), sender.inode, few.read().count, few.dropped, table.malformed + few.malformed)
    }
    let (sockets, inode, fewCount, dropped, malformed) = found
    #expect(sockets.count == 2 && sockets.filter(\.isSender).map(\.inode) == [inode])
    #expect(sockets.first { !$0.isSender }?.etherType == 3)
    #expect(fewCount == 1 && dropped == 1 && malformed == 0)
  }
}
