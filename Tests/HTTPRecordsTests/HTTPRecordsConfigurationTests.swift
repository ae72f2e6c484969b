import Foundation
import INI
import Testing

@testable import HTTPRecords

/// The sections [http] and [ssl_options].
@Suite struct HTTPRecordsConfigurationTests {
  static func read(
    _ http: String, ssl: String? = nil
  ) throws -> HTTPRecordsConfiguration {
    let text = "[http]\n\(http)\n" + (ssl.map { "[ssl_options]\n\($0)\n" } ?? "")
    let file = try INIFile(name: "t.cfg", bytes: Array(text.utf8))
    return try HTTPRecordsConfiguration(
      file.sections[0], ssl: file.sections.dropFirst().first)
  }

  @Test func `the sample is read`() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../samples/tstat_send.sample.ini")
    let file = try INIFile(name: "f", bytes: Array(try Data(contentsOf: path)), dialect: .tstat)
    let sections = Dictionary(uniqueKeysWithValues: file.sections.map { ($0.name, $0) })
    let configuration = try HTTPRecordsConfiguration(
      try #require(sections["http"]?.expanding { _ in nil }), ssl: sections["ssl_options"])
    #expect(configuration.url == "https://collector.example.org:443/tstat" && configuration.verifies)
    #expect(configuration.authorization?.hasSuffix("Bearer write-your-own") == true)
  }

  @Test(arguments: [
    ("host=h\nport=8443", "https://h:8443/"),
    ("host=h\nport=80\nuse_ssl=no\npath=/in?x=1", "http://h:80/in?x=1"),
    ("host=::1\nport=1\nuse_ssl = False", "http://[::1]:1/"),
  ])
  func `the URL is made of its parts`(text: String, url: String) throws {
    let configuration = try Self.read(text)
    #expect(configuration.url == url && configuration.verifies && configuration.authorization == nil)
    #expect(configuration.timeout == .seconds(30) && configuration.warnings.isEmpty)
  }

  @Test(arguments: [
    ("port=1", "t.cfg:1: [http] needs host"),
    ("host=h", "t.cfg:1: [http] needs port"),
    ("host=h\nport=0", "t.cfg:3: port=\"0\" must be a whole number from 1 to 65535"),
    ("host=http://h\nport=1", "t.cfg:2: host=\"http://h\" must be the name"),
    ("host=h\nport=1\npath=in?token=hidden", "t.cfg:4: path must be a path that begins with /"),
    ("host=u:hidden@h\nport=1", "t.cfg:2: host must be the name"),
    ("host=h\nport=1\nhidden", "t.cfg:4: the line is not key=value"),
    ("host=h\nport=1\nuse_ssl=perhaps", "t.cfg:4: use_ssl=\"perhaps\" must be yes or no"),
    ("host=h\nport=1\ntimeout=0", "t.cfg:4: timeout=\"0\" must be from 0.1 to 3600 seconds"),
    ("host=h\nport=1\ntokn=x", "t.cfg:4: unknown key \"tokn\" in [http] (did you mean token?)"),
    ("host=h\nport=1\npassword=hidden", "t.cfg:4: password needs username"),
    ("host=h\nport=1\nusername=u\ntoken=hidden", "t.cfg:4: username and token exclude each other"),
    ("host=h\nport=1\ntoken=hidden more", "t.cfg:4: token must be one word"),
  ])
  func `what is wrong is said with its line, and no secret`(text: String, said: String) throws {
    let error = #expect(throws: INIError.self) { try Self.read(text) }
    #expect(error?.description.hasPrefix(said) == true, "\(error.map(\.description) ?? "")")
    #expect(error?.description.contains("hidden") == false)
  }

  @Test func `who posts is proved, and that is shown nowhere`() throws {
    let basic = try Self.read("host=h\nport=1\nusername=Aladdin\npassword=open sesame")
    // RFC 7617.
    #expect(basic.authorization == "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    let bearer = try Self.read("host=h\nport=1\ntoken=abc\nuse_ssl=no\npath=/in?key=abc")
    #expect("\(bearer)" == "http://h:1")
    #expect(bearer.authorization == "Authorization: Bearer abc")
    #expect(bearer.warnings.map(\.line) == [4])
    for configuration in [basic, bearer] {
      var dumped = ""
      dump(configuration, to: &dumped)
      for text in ["\(configuration)", String(reflecting: configuration), dumped] {
        #expect(!text.contains("QWxh") && !text.contains("abc"))
      }
    }
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("\u{ff}", "w78="),
  ])
  func `base 64 is that of RFC 4648`(text: String, encoded: String) {
    #expect(BasicCredentials.encoded(Array(text.utf8)) == encoded)
  }

  @Test func `certificates are looked at unless CERT_NONE says no`() throws {
    let http = "host=h\nport=1"
    let trusting = try Self.read(http, ssl: "ca_certs=/a.pem\ncert_reqs=CERT_REQUIRED")
    #expect(trusting.verifies && trusting.authorities == "/a.pem" && trusting.warnings.isEmpty)
    let none = try Self.read(http, ssl: "cert_reqs=ssl.CERT_NONE")
    #expect(!none.verifies && none.warnings.map(\.line) == [5])
    let other = try Self.read(
      http, ssl: "keyfile=/k\ncertfile=/c\nciphers=x\nssl_version=y\nserver_hostname=z")
    #expect(other.verifies && other.warnings.map(\.line).sorted() == [5, 6, 7, 8, 9])
    // As the reader of RabbitMQ's sections takes them.
    #expect(try !Self.read(http, ssl: "cert_reqs=none").verifies)
    #expect(try Self.read(http, ssl: "ca_certs=\ncert_reqs=required").verifies)
    #expect(throws: INIError.self) { try Self.read(http, ssl: "cert_reqs=NO") }
    #expect(throws: INIError.self) { try Self.read(http, ssl: "ca_cert=/a") }
  }
}
