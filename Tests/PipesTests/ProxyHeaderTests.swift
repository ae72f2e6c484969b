import Model
import Testing

@testable import Pipes

private func endpoint(_ address: String, _ port: UInt16) -> Endpoint {
  Endpoint(address: IPAddress(address) ?? .anyV6, port: port)
}

private func ends(_ source: String, _ sourcePort: UInt16, _ destination: String, _ port: UInt16)
  -> ProxyHeader
{
  ProxyHeader(ends: .init(source: endpoint(source, sourcePort), destination: endpoint(destination, port)))
}

/// The specification's signature.
private let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a] + Array("QUIT\n".utf8)

@Suite struct ProxyHeaderTests {
  static let lines: [(ProxyHeader, String)] = [
    (ends("192.168.0.1", 56324, "192.168.0.11", 443), "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
    (
      ends("255.255.255.255", 65535, "255.255.255.255", 65535),
      "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"
    ),
    (ends("2001:db8::1", 1, "::1", 0), "PROXY TCP6 2001:db8::1 ::1 1 0\r\n"),
    (
      ends("ffff:f:f:f:f:f:f:ffff", 65535, "ffff:f:f:f:f:f:f:ffff", 65535),
      "PROXY TCP6 ffff:f:f:f:f:f:f:ffff ffff:f:f:f:f:f:f:ffff 65535 65535\r\n"
    ),
    (ProxyHeader(ends: nil), "PROXY UNKNOWN\r\n"),
  ]

  @Test(arguments: lines) func `version 1 is the specification's line`(header: ProxyHeader, line: String) {
    #expect(header.encoded(.v1) == Array(line.utf8))
    #expect(ProxyHeader.decode(ArraySlice(line.utf8)) == .complete(header, length: line.utf8.count))
  }

  static let binaries: [(ProxyHeader, [UInt8])] = [
    (
      ends("10.0.0.1", 0x1234, "10.0.0.2", 80),
      signature + [0x21, 0x11, 0, 12, 10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0, 80]
    ),
    (
      ends("fd77::1", 1, "fd77::2", 65535),
      signature + [0x21, 0x21, 0, 36, 0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        + [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0xff, 0xff]
    ),
    (ProxyHeader(ends: nil), signature + [0x20, 0, 0, 0]),
  ]

  @Test(arguments: binaries) func `version 2 is the specification's bytes`(
    header: ProxyHeader, bytes: [UInt8]
  ) {
    #expect(header.encoded(.v2) == bytes)
    #expect(ProxyHeader.decode(bytes[...]) == .complete(header, length: bytes.count))
  }

  @Test func `different families meet in IPv6`() {
    let header = ends("10.0.0.1", 5, "fd77::2", 6)
    #expect(header.encoded(.v1) == Array("PROXY TCP6 ::ffff:10.0.0.1 fd77::2 5 6\r\n".utf8))
    let bytes = header.encoded(.v2)
    #expect(bytes.count == 52)
    #expect(ProxyHeader.decode(bytes[...]) == .complete(header, length: 52))
  }

  @Test(arguments: [
    "GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXX ", "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
    "PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
    "PROXY TCP4 ::1 ::1 1 1\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
    "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n",
    "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n", "\r\n\r\nPROXY",
    "PROXY \r\n",
    "PROXY UNKNOWN" + String(repeating: "x", count: 100), "PROXY TCP4 1.2.3.4 1.2.3.4 + 1\r\n", "PROXY \r",
  ])
  func `what is no header is refused`(text: String) {
    let decoding = ProxyHeader.decode(ArraySlice(text.utf8))
    // `PROXY \r` may still become one that is refused; nothing else here may.
    if text == "PROXY \r" {
      #expect(decoding == .incomplete)
    } else {
      guard case .malformed(let why) = decoding else {
        Issue.record("\(decoding)")
        return
      }
      #expect(why.hasPrefix("it"))
    }
  }

  @Test func `UNKNOWN may say anything up to the line's end`() {
    let line = "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"
    #expect(
      ProxyHeader.decode(ArraySlice(line.utf8)) == .complete(ProxyHeader(ends: nil), length: line.utf8.count))
  }

  @Test(
    arguments: [
      ([0x11, 0x11, 0, 12], "version"), ([0x22, 0x11, 0, 12], "command"), ([0x21, 0x11, 0, 11], "short"),
      ([0x21, 0x21, 0, 35], "short"), ([0x21, 0x11, 0xff, 0xff], "longer"), ([0x20, 0, 0x10, 0], "longer"),
    ] as [([UInt8], String)])
  func `binary nonsense is refused`(bytes: [UInt8], word: String) {
    guard case .malformed(let why) = ProxyHeader.decode(ArraySlice(signature + bytes)) else {
      Issue.record("not refused")
      return
    }
    #expect(why.contains(word))
  }

  @Test(
    arguments: [
      ([0x21, 0x12, 0, 0], 16), ([0x21, 0x31, 0, 4, 1, 2, 3, 4], 20), ([0x21, 0, 0, 0], 16),
      ([0x20, 0x11, 0, 2, 9, 9], 18),
    ] as [([UInt8], Int)])
  func `other families and LOCAL say nothing about the client`(bytes: [UInt8], length: Int) {
    #expect(
      ProxyHeader.decode(ArraySlice(signature + bytes)) == .complete(ProxyHeader(ends: nil), length: length))
  }

  @Test func `extensions are skipped, and what follows stays`() {
    let header = ends("10.0.0.1", 1, "10.0.0.2", 2)
    var bytes = header.encoded(.v2)
    bytes[15] = 12 + 5
    bytes += [4, 0, 2, 0xaa, 0xbb] + Array("GET /".utf8)
    #expect(ProxyHeader.decode(bytes[...]) == .complete(header, length: 33))
    #expect(ProxyHeader.decode(([1, 2, 3] + bytes)[3...]) == .complete(header, length: 33))
  }

  static let good: [[UInt8]] = lines.map { Array($0.1.utf8) } + binaries.map(\.1)

  @Test(arguments: good) func `every prefix is the beginning of a header`(bytes: [UInt8]) {
    for length in 0..<bytes.count { #expect(ProxyHeader.decode(bytes[..<length]) == .incomplete) }
  }

  @Test(arguments: good) func `mutations never trap and never read beyond`(bytes: [UInt8]) {
    var state: UInt64 = 7
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var complete = 0
    for _ in 0..<5000 {
      var mutated = bytes
      for _ in 0...random(3) { mutated[random(mutated.count)] = UInt8(random(256)) }
      if random(4) == 0 { mutated.removeLast(random(mutated.count)) }
      if case .complete(_, let length) = ProxyHeader.decode(mutated[...]) {
        #expect(length <= mutated.count)
        complete += 1
      }
    }
    #expect(complete < 5000)
  }
}
