import Lab
import Probes
import Testing

/// A packet: length, sequence number and payload.
private func packet(_ payload: [UInt8], sequence: UInt8 = 0) -> [UInt8] {
  [UInt8(payload.count & 255), UInt8(payload.count >> 8 & 255), UInt8(payload.count >> 16), sequence]
    + payload
}

/// A greeting as MySQL 5.7 sends it (Protocol::HandshakeV10).
private func greeting(_ version: String) -> [UInt8] {
  // The thread; the first part of the challenge and a filler; abilities, character set, status, more abilities and the
  // length of the challenge; ten bytes of nothing; the second part; the method.
  let rest: [UInt8] =
    [8, 0, 0, 0] + Array("12345678".utf8) + [0] + [0xff, 0xf7, 33, 2, 0, 0xff, 0x81, 21]
    + Array(repeating: 0, count: 10) + Array("123456789012".utf8) + [0]
    + Array("mysql_native_password".utf8) + [0]
  return packet([10] + Array(version.utf8) + [0] + rest)
}

private func refusal(_ code: UInt16, _ text: String, sequence: UInt8 = 0) -> [UInt8] {
  packet([0xff, UInt8(code & 255), UInt8(code >> 8)] + Array(text.utf8), sequence: sequence)
}

@Suite struct MySQLGreetingTests {
  private static let stranger = MySQLGreeting.missing("what answers does not speak MySQL's protocol")

  @Test(arguments: [
    ("5.7.2-log", "5.7.2-log"), ("8.0.36", "8.0.36"),
    ("5.5.5-10.11.6-MariaDB-0+deb12u1", "10.11.6-MariaDB-0+deb12u1"),
    ("11.4.2-MariaDB", "11.4.2-MariaDB"), ("5.5.5-m3", "5.5.5-m3"), ("5.5.5", "5.5.5"), ("5.5.5-", "5.5.5-"),
    ("é", "é"), ("\u{1b}", "\u{1b}"),
  ])
  func `a version is read, MariaDB's without what it writes before it`(sent: String, version: String) {
    let bytes = greeting(sent)
    #expect(MySQLGreeting(bytes) == .version(version))
    // As soon as its NUL is there, and whatever comes after the packet.
    let end = 4 + 1 + sent.utf8.count
    for length in 0...bytes.count {
      #expect(
        MySQLGreeting(Array(bytes.prefix(length))) == (length <= end ? .incomplete : .version(version)),
        "\(length)")
    }
    #expect(MySQLGreeting(bytes + [1, 2, 3]) == .version(version))
  }

  @Test(
    arguments: [
      (
        refusal(1130, "Host '10.0.0.9' is not allowed to connect to this MySQL server"),
        "the server refuses: Host '10.0.0.9' is not allowed to connect to this MySQL server (error 1130)"
      ),
      (refusal(1040, "#08004Too many connections"), "the server refuses: Too many connections (error 1040)"),
      (
        refusal(1040, "Too many connections", sequence: 1),
        "the server refuses: Too many connections (error 1040)"
      ),
      (refusal(1129, ""), "the server refuses: error 1129"),
      (refusal(7, "#"), "the server refuses: # (error 7)"),
    ])
  func `a refusal is said when it is there whole`(bytes: [UInt8], reason: String) {
    for length in 0...bytes.count {
      let answer = MySQLGreeting(Array(bytes.prefix(length)))
      #expect(answer == (length < bytes.count ? .incomplete : .missing(reason)), "\(length)")
    }
  }

  @Test func `a long refusal is cut, one that is not text is read all the same`() {
    guard case .missing(let long) = MySQLGreeting(refusal(1, String(repeating: "x", count: 4000))),
      case .missing(let strange) = MySQLGreeting(packet([0xff, 1, 0, 0xc3, 0x28]))
    else {
      Issue.record("not refused")
      return
    }
    #expect(long.count < 250)
    #expect(strange == "the server refuses: \u{fffd}( (error 1)")
  }

  @Test(
    arguments: [
      Array("SSH-2.0-OpenSSH_9.2\r\n".utf8), Array("HTTP/1.1 400 Bad Request\r\n".utf8),
      Array("220 mail ESMTP\r\n".utf8),
      Array("+OK\r\n".utf8), [0, 0, 0, 0, 0], [2, 0, 0, 0, 10, 0], [0x16, 3, 3, 0, 0x7a],
      packet([9] + Array("3.20".utf8) + [0]), packet([10] + Array("5.7.2".utf8) + [0], sequence: 1),
      packet([10, 0, 0]), packet([10] + Array("no end".utf8)), packet([10, 0xff, 0xfe, 0]),
      packet(Array(repeating: 10, count: 4093)), [0xff, 0xff, 0xff, 0, 10],
    ] as [[UInt8]])
  func `what is not MySQL's is missing, as soon as it shows`(bytes: [UInt8]) {
    #expect(MySQLGreeting(bytes) == Self.stranger)
    // What was refused stays refused.
    var isRefused = false
    for length in 0...bytes.count {
      let answer = MySQLGreeting(Array(bytes.prefix(length)))
      #expect(answer == (isRefused ? Self.stranger : answer))
      isRefused = answer != .incomplete
      if isRefused { #expect(answer == Self.stranger) }
    }
  }

  @Test func `a packet that is still incomplete at the greatest length is none`() {
    let bytes = packet([10] + Array(repeating: 0x35, count: MySQLGreeting.maximumLength - 5))
    #expect(bytes.count == MySQLGreeting.maximumLength)
    #expect(MySQLGreeting(bytes) == Self.stranger)
    #expect(MySQLGreeting(Array(bytes.dropLast())) == .incomplete)
  }

  @Test func `changed bytes never trap`() {
    var random = SplitMix64(seed: 3)
    var refused = 0
    for original in [greeting("5.7.2-log"), refusal(1130, "no")] {
      for _ in 0..<20_000 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
            in: .min ... .max, using: &random)
        }
        bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
        guard case .missing(let reason) = MySQLGreeting(bytes) else { continue }
        #expect(!reason.isEmpty)
        refused += 1
      }
    }
    #expect(refused > 0)
  }
}
