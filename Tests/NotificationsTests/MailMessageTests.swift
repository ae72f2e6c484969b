import Model
import Testing

@testable import Notifications

@Suite struct MailMessageTests {
  private func message(subject: String = "hello", body: String = "text\n", to: [String] = ["b@h"]) -> String {
    let message = MailMessage(
      from: "a@h", to: to, subject: subject, date: Timestamp(seconds: 1_764_430_000, utcOffset: -12_600),
      messageID: "1.2@h", body: body)
    return String(decoding: message.bytes, as: UTF8.self)
  }

  private func head(subject: String) -> [Substring] {
    let text = message(subject: subject)
    return text.split(separator: "\r\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
  }

  @Test func `a plain mail, byte for byte`() {
    #expect(
      message() == """
        From: a@h\r
        To: b@h\r
        Subject: hello\r
        Date: Sat, 29 Nov 2025 11:56:40 -0330\r
        Message-ID: <1.2@h>\r
        MIME-Version: 1.0\r
        Content-Type: text/plain; charset=utf-8\r
        Content-Transfer-Encoding: 7bit\r
        Auto-Submitted: auto-generated\r
        \r
        text\r\n
        """)
  }

  @Test(arguments: [
    (Int64(0), Int32(0), "Thu, 1 Jan 1970 00:00:00 +0000"), (-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"),
    (951_782_400, 3600, "Tue, 29 Feb 2000 01:00:00 +0100"),
    (1_735_689_599, 0, "Tue, 31 Dec 2024 23:59:59 +0000"),
    (1_735_689_599, 20_700, "Wed, 1 Jan 2025 05:44:59 +0545"),
  ])
  func `dates`(seconds: Int64, offset: Int32, date: String) {
    #expect(Timestamp(seconds: seconds, utcOffset: offset).rfc5322 == date)
  }

  @Test(arguments: [
    ("", "Subject: "), ("a b", "Subject: a b"), (" a ", "Subject: a"),
    ("größer", "Subject: =?utf-8?B?Z3LDtsOfZXI=?="),
    ("x =?utf-8?B?Z?=", "Subject: =?utf-8?B?eCA9P3V0Zi04P0I/Wj89?="),
    ("a\r\nBcc: x@y", #"Subject: a\r\nBcc: x@y"#), ("a\u{0}\u{1b}[2J", #"Subject: a\u{0}\e[2J"#),
    ("a\u{2028}b\u{85}c", #"Subject: a\u{2028}b\u{85}c"#),
  ])
  func `subjects`(subject: String, line: String) {
    #expect(head(subject: subject)[2] == line)
  }

  @Test(arguments: [
    String(repeating: "word ", count: 60), String(repeating: "w", count: 300),
    String(repeating: "é", count: 300),
    String(repeating: "日本語 \u{1f600}", count: 50), String(repeating: " ", count: 200) + "x",
    "a" + String(repeating: " ", count: 200) + "x", hostileText, String(repeating: "\r\nX: y", count: 400),
    String(repeating: "a", count: 10_000),
  ])
  func `any subject is one field of short ASCII lines`(subject: String) {
    let lines = head(subject: subject)
    #expect(lines.allSatisfy { $0.utf8.count <= 78 && $0.utf8.allSatisfy { (0x20...0x7e).contains($0) } })
    let names = lines.filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }
    #expect(
      names == [
        "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding", "Auto-Submitted",
      ])
    #expect(lines.allSatisfy { $0.contains { $0 != " " } })
  }

  @Test func `addresses are folded and add nothing`() {
    let many = (1...20).map { "somebody\($0)@example.org" } + ["x@y>\r\nBcc: z@w"]
    let text = message(to: many)
    #expect(!text.contains("\r\nBcc") && text.contains("x@yBcc:z@w"))
    #expect(text.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 78 })
  }

  @Test(arguments: [
    ("", "7bit", ""), ("a", "7bit", "a\r\n"), ("a\nb\r\nc\rd", "7bit", "a\r\nb\r\nc\r\nd\r\n"),
    ("\n\na\n", "7bit", "\r\n\r\na\r\n"), (".\n..a", "7bit", ".\r\n..a\r\n"), ("a\tb ", "7bit", "a\tb \r\n"),
    ("a\u{0}b", "7bit", "a\\u{0}b\r\n"), ("é=\n", "quoted-printable", "=C3=A9=3D\r\n"),
    ("é \n\t", "quoted-printable", "=C3=A9=20\r\n=09\r\n"),
  ])
  func `bodies`(body: String, encoding: String, bytes: String) {
    let body = MailBody(body)
    #expect(body.encoding.rawValue == encoding && String(decoding: body.bytes, as: UTF8.self) == bytes)
  }

  @Test(arguments: [997, 998, 999, 5000], ["a", "é", " ", "="])
  func `no line is too long, and the text comes back`(count: Int, character: String) {
    let text =
      String(repeating: character, count: count) + "\n" + String(repeating: character, count: 3) + "\n"
    let body = MailBody(text)
    let encoded = String(decoding: body.bytes, as: UTF8.self)
    let lines = encoded.split(separator: "\r\n", omittingEmptySubsequences: false)
    let limit = body.encoding == .sevenBit ? 998 : 76
    #expect(lines.allSatisfy { $0.utf8.count <= limit })
    #expect(decoded(encoded, body.encoding) == text)
  }

  private func decoded(_ text: String, _ encoding: MailBody.Encoding) -> String {
    let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "\n")
    guard encoding == .quotedPrintable else { return lines }
    let bytes = Array(lines.utf8)
    var (result, index) = ([UInt8](), 0)
    while index < bytes.count {
      if bytes[index] != UInt8(ascii: "=") {
        result.append(bytes[index])
        index += 1
      } else if bytes[index + 1] == UInt8(ascii: "\n") {
        index += 2
      } else {
        result.append(UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16) ?? 0)
        index += 3
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  @Test func `a notification is JSON whatever it holds`() throws {
    let notification = sampleNotification(subject: hostileText, line: "a\"\\\n\u{2028}\u{e0001}")
    let value = try JSONReader.value(Array(notification.json.utf8))
    #expect(value.member("schema")?.integer == 1 && value.member("event")?.string == "notification")
    #expect(value.member("subject")?.string == hostileText && value.member("state")?.string == "firing")
    #expect(value.member("line")?.string == notification.line)
    #expect(!notification.json.contains("\u{1b}") && !notification.json.contains("\u{2028}"))
  }
}
