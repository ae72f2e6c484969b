import Curl
import Foundation
import INI
import Testing

@testable import Notifications

@Suite struct MailConfigurationTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private func read(_ text: String) throws -> MailConfiguration {
    try MailConfiguration(name: "mail.json", bytes: Array(text.utf8))
  }

  private func read(smtp: String) throws -> MailConfiguration {
    try read(#"{"mail":{"from":"a@h","to":"b@h","smtp":{"server":"h","# + smtp + "}}}")
  }

  /// The shape of pySendMail's own sample: repeated comments, every key.
  private let original = #"""
    {
      "mail": {
        "//": "one", "from": "me@example.org",
        "//": "two", "to": "you@example.org, other@example.org",
        "//": "three",
        "smtp": {
          "//": "1", "server": "smtp.example.org",
          "//": "2", "port": 0,
          "//": "3", "user": "me",
          "//": "4", "password": "p\"\u00e9",
          "//": "5", "tls": true,
          "//": "6", "timeout": 0
        }
      }
    }
    """#

  @Test func `a file of the original is read`() throws {
    let configuration = try read(original)
    #expect(
      configuration
        == MailConfiguration(
          from: "me@example.org", to: ["you@example.org", "other@example.org"], server: "smtp.example.org",
          port: 465, user: "me", password: "p\"é", isImplicitTLS: true, needsTLS: true, verifies: true))
  }

  @Test func `no beginning of a file is a file`() {
    let bytes = Array(original.utf8)
    for length in 0..<bytes.count {
      #expect(throws: MailConfigurationError.self) {
        try MailConfiguration(name: "x", bytes: Array(bytes[..<length]))
      }
    }
  }

  @Test(arguments: [
    (#""port":0,"tls":true"#, "h", UInt16(465)), (#""port":0,"tls":false"#, "h", 25),
    (#""port":587"#, "h", 587),
    (#""tls":true"#, "h", 465), (#""port":0,"server":"h:2525""#, "h", 2525),
    (#""server":"h:2525","port":2525"#, "h", 2525),
    (#""server":"[::1]:26""#, "::1", 26), (#""server":"[::1]""#, "::1", 25), (#""server":"::1""#, "::1", 25),
    (#""port":1,"port":2"#, "h", 2), (#""server":"x","server":"y""#, "y", 25),
  ])
  func `server and port`(smtp: String, server: String, port: UInt16) throws {
    let configuration = try read(smtp: smtp)
    #expect(configuration.server == server && configuration.port == port)
  }

  @Test func `what is missing has its default`() throws {
    let plain = try read(smtp: #""//":1"#)
    #expect(plain.user == nil && plain.password == "" && plain.timeout == nil && plain.authorities == nil)
    #expect(!plain.isImplicitTLS && plain.needsTLS && plain.verifies)
    let own = try read(
      smtp: #""verify":false,"starttls":false,"timeout":2.5,"user":"","password":null,"cafile":"/x""#)
    #expect(!own.verifies && !own.needsTLS && own.timeout == .milliseconds(2500) && own.user == nil)
    #expect(own.authorities == "/x")
    #expect(own.session([], to: ["a@h"]).security == .none)
    #expect(own.session([], to: ["a@h"]).limits.whole == MailConfiguration.longestSession)
  }

  @Test(arguments: [
    ("", 1, "too early"), ("{}", 1, #"no "mail""#), ("[]", 1, "not an object"),
    ("{\n\"mail\": {\n\"frm\": 1}}", 3, "known keys: from, to, smtp"),
    (#"{"mail":{"from":"a@h","to":"b@h"}}"#, 1, #"no "smtp""#),
    (#"{"mail":{"from":"a@h","to":" , ","smtp":{"server":"h"}}}"#, 1, "mail.to"),
    ("{\"mail\":{\"from\":\"a@h\",\n\"to\":\"b@h\\nBcc: x\",\"smtp\":{\"server\":\"h\"}}}", 2, "control"),
    (#"{"mail":{"from":"Me <a@h>","to":"b@h","smtp":{"server":"h"}}}"#, 1, "NAME@HOST"),
    (#"{"mail":{"from":"a@é","to":"b@h","smtp":{"server":"h"}}}"#, 1, "ASCII"),
    (#"{"mail":1} x"#, 1, "after the end"),
  ])
  func `errors name the line and what to do`(text: String, line: Int, part: String) {
    let error = #expect(throws: MailConfigurationError.self) { try read(text) }
    #expect(error?.line == line && error?.what.contains(part) == true, "\(String(describing: error))")
    #expect(error?.description.hasPrefix("mail.json:\(line): ") == true)
  }

  @Test(arguments: [
    #""port":-1"#, #""port":65536"#, #""port":"25""#, #""port":2.5"#, #""tls":"yes""#, #""tls":1"#,
    #""timeout":-1"#, #""timeout":"5""#, #""timeout":1e99"#, #""server":"""#, #""server":"h:0""#,
    #""server":"h:99999""#, #""server":"h:25","port":26"#, #""server":"a b""#, #""server":"h/x""#,
    #""server":"u@h""#, #""user":5"#, #""password":"a\nb""#, #""verfy":true"#, #""server":null"#,
  ])
  func `wrong values are refused, and no password is repeated`(smtp: String) {
    let error = #expect(throws: MailConfigurationError.self) {
      try read(smtp: #""password":"geheim","# + smtp)
    }
    #expect(error?.description.contains("geheim") == false)
  }

  @Test func `the sample is read and documents every key`() throws {
    let bytes = [UInt8](try Data(contentsOf: Self.root.appending(path: "samples/sendMailConfig.sample.json")))
    let configuration = try MailConfiguration(name: "sample", bytes: bytes)
    #expect(configuration.verifies && configuration.needsTLS)
    let text = String(decoding: bytes, as: UTF8.self)
    for key in ["server", "port", "user", "password", "tls", "timeout", "verify", "starttls", "cafile"] {
      #expect(text.contains("\"\(key)\":"), "\(key)")
    }
  }

  @Test(arguments: [
    ("mail_config=/etc/mail.json", "/etc/mail.json", nil, false), ("mail_config=", nil, nil, false),
    ("webhook=https://h/x?token=1\non_resolve=yes\nmail_config=a", "a", "https://h/...", true),
    ("webhook=HTTP://u:p@h:8080/x", nil, "http://h:8080/...", false),
  ])
  func `rules of a section`(text: String, path: String?, url: String?, onResolve: Bool) throws {
    let file = try INIFile(name: "x", bytes: Array("[web]\n\(text)\n".utf8))
    let section = try #require(file.sections.first)
    let (mail, webhook) = (try MailRule(section), try WebhookRule(section))
    #expect(mail?.path == path && webhook?.shownURL == url)
    for runs in [mail?.runsOnResolve, webhook?.runsOnResolve].compactMap(\.self) {
      #expect(runs == onResolve)
    }
  }

  @Test(arguments: ["ftp://h/", "h", "https://", "http:///x", "https://a b/", "https://h/é", "http://h/\n x"])
  func `what is no URL is refused with its line`(url: String) throws {
    let file = try INIFile(name: "x", bytes: Array("[web]\nwebhook=\(url)\n".utf8))
    let section = try #require(file.sections.first)
    let error = #expect(throws: INIError.self) { try WebhookRule(section) }
    #expect(error?.description.hasPrefix("x:2: ") == true, "\(String(describing: error))")
  }
}
