import Lab
import Testing

import Model

/// Answers of sock_diag and lines of /proc/net, recorded on Linux 6.18, with what they mean.
enum SocketsRecorded {
  /// A recorded answer; struct inet_diag_msg, then attributes.
  struct Answer: CustomTestStringConvertible {
    var testDescription: String
    var transport: TransportProtocol
    var bytes: [UInt8]
    var entry: SocketEntry
  }

  static let answers = [
    Answer(
      testDescription: "a v4 listener", transport: .tcp,
      bytes: message(
        // family, state LISTEN, timer, retransmissions; ports 18080 and 0
        "02 0a 00 00  46a0 0000",
        // 127.0.0.1, any
        "7f000001 00000000 00000000 00000000  00000000 00000000 00000000 00000000",
        // interface, cookie; expires, queues; uid, inode 205428
        "00000000 01000000 00000000  00000000 00000000 80000000  00000000 74220300",
        // shutdown, mark, cgroup, socket options
        "0500 0800 00 000000  0800 0f00 00000000  0c00 1500 0100000000000000  0600 1600 5200 0000"),
      entry: SocketEntry(
        transport: .tcp, isV6: false, state: .listening, local: endpoint("127.0.0.1", 18080),
        remote: endpoint("0.0.0.0", 0), inode: 205_428, uid: 0)),
    Answer(
      testDescription: "a connected v4 socket of user 1000", transport: .tcp,
      bytes: message(
        "02 01 00 00  9c40 46a0",
        "7f000001 00000000 00000000 00000000  7f000001 00000000 00000000 00000000",
        "00000000 04000000 00000000  00000000 00000000 00000000  e8030000 75220300",
        "0500 0800 00 000000  0800 0f00 00000000  0c00 1500 0100000000000000  0600 1600 5200 0000"),
      entry: SocketEntry(
        transport: .tcp, isV6: false, local: endpoint("127.0.0.1", 40000),
        remote: endpoint("127.0.0.1", 18080), inode: 205_429, uid: 1000)),
    Answer(
      testDescription: "TIME_WAIT: no inode", transport: .tcp,
      bytes: message(
        "02 06 03 00  af04 46a0",
        "7f000001 00000000 00000000 00000000  7f000001 00000000 00000000 00000000",
        "00000000 05000000 00000000  60ea0000 00000000 00000000  00000000 00000000",
        "0800 0f00 00000000"),
      entry: SocketEntry(
        transport: .tcp, isV6: false, state: .closing, local: endpoint("127.0.0.1", 44804),
        remote: endpoint("127.0.0.1", 18080), inode: 0, uid: 0)),
    Answer(
      testDescription: "a v6 listener that takes v4", transport: .tcp,
      bytes: message(
        "0a 0a 00 00  46a2 0000",
        "00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000",
        "00000000 08000000 00000000  00000000 01000000 80000000  00000000 78220300",
        // shutdown, IPV6_V6ONLY off
        "0500 0800 00 000000  0500 0b00 00 000000  0800 0f00 00000000"),
      entry: SocketEntry(
        transport: .tcp, isV6: true, state: .listening, local: endpoint("::", 18082),
        remote: endpoint("::", 0), inode: 205_432, uid: 0)),
    Answer(
      testDescription: "a v6 listener that takes only v6", transport: .tcp,
      bytes: message(
        "0a 0a 00 00  46a1 0000",
        "00000000 00000000 00000000 00000001  00000000 00000000 00000000 00000000",
        "00000000 09000000 00000000  00000000 00000000 80000000  00000000 77220300",
        "0500 0800 00 000000  0500 0b00 01 000000  0800 0f00 00000000"),
      entry: SocketEntry(
        transport: .tcp, isV6: true, isV6Only: true, state: .listening, local: endpoint("::1", 18081),
        remote: endpoint("::", 0), inode: 205_431, uid: 0)),
    Answer(
      testDescription: "a v6 socket with a v4 peer, not yet accepted", transport: .tcp,
      bytes: message(
        "0a 01 00 00  46a2 9c41",
        "00000000 00000000 0000ffff 7f000001  00000000 00000000 0000ffff 7f000001",
        "00000000 0a000000 00000000  00000000 00000000 00000000  00000000 00000000",
        "0500 0800 00 000000"),
      entry: SocketEntry(
        transport: .tcp, isV6: true, local: endpoint("127.0.0.1", 18082),
        remote: endpoint("127.0.0.1", 40001), inode: 0, uid: 0)),
    Answer(
      testDescription: "an unconnected UDP socket", transport: .udp,
      bytes: message(
        "02 07 00 00  46a3 0000",
        "00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000",
        "00000000 06000000 00000000  00000000 00000000 00000000  00000000 7a220300",
        "0500 0800 00 000000  0800 0f00 00000000"),
      entry: SocketEntry(
        transport: .udp, isV6: false, local: endpoint("0.0.0.0", 18083), remote: endpoint("0.0.0.0", 0),
        inode: 205_434, uid: 0)),
    Answer(
      testDescription: "a raw ICMP socket: the protocol is an attribute, the port repeats it",
      transport: .raw,
      bytes: message(
        "02 07 00 00  0001 0000",
        "00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000",
        "00000000 06000000 00000000  00000000 00000000 00000000  00000000 7b220300",
        // INET_DIAG_PROTOCOL 1
        "0500 0800 00 000000  0500 0a00 01 000000"),
      entry: SocketEntry(
        transport: .icmp, isV6: false, local: endpoint("0.0.0.0", 0), remote: endpoint("0.0.0.0", 0),
        inode: 205_435, uid: 0)),
  ]

  static func endpoint(_ address: String, _ port: UInt16) -> Endpoint {
    Endpoint(address: IPAddress(address) ?? .anyV6, port: port)
  }

  static func message(_ parts: String...) -> [UInt8] {
    let digits = Array(parts.joined().filter(\.isHexDigit))
    return stride(from: 0, to: digits.count, by: 2).compactMap {
      UInt8(String(digits[$0...($0 + 1)]), radix: 16)
    }
  }
}

extension SplitMix64 {
  /// `bytes` with one to four of them changed, and in one of four cases cut or made longer.
  mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &self) where !bytes.isEmpty {
      bytes[Int.random(in: bytes.indices, using: &self)] = .random(in: 0...255, using: &self)
    }
    switch Int.random(in: 0..<8, using: &self) {
    case 0: bytes.removeLast(Int.random(in: 0...bytes.count, using: &self))
    case 1:
      bytes += (0..<Int.random(in: 0..<64, using: &self)).map { _ in .random(in: 0...255, using: &self) }
    default: break
    }
    return bytes
  }
}
