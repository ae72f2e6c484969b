import Foundation
import INI
import Model
import Testing

@testable import AMQP

/// Sections of a configuration file, as they are read.
@Suite struct RabbitConfigurationTests {
  private static let rabbit: [(key: String, value: String)] = [
    ("host", "broker.example"), ("port", "5671"), ("username", "me"), ("password", "secret"),
    ("use_ssl", "no"),
    ("vhost", "/"), ("queue", "q"), ("routing_key", "k"), ("exchange", "e"),
  ]

  /// `[rabbit]` with some keys changed, added, or (nil) left out, and more sections.
  private static func text(
    _ changes: [String: String?] = [:], _ more: String = "", section: String = "rabbit"
  ) -> String {
    let keys = rabbit.map(\.key) + changes.keys.filter { key in !rabbit.contains { $0.key == key } }.sorted()
    let lines = keys.compactMap { key in
      (changes[key] ?? rabbit.first { $0.key == key }?.value).map { "\(key) = \($0)\n" }
    }
    return "[\(section)]\n" + lines.joined() + more
  }

  private static func read(
    _ text: String, section: String = "rabbit", needsQueue: Bool = true, variables: [String: String] = [:]
  ) throws(INIError) -> RabbitConfiguration {
    let file = try INIFile(name: "f", bytes: Array(text.utf8), dialect: .tstat)
    return try RabbitConfiguration(file: file, section: section, needsQueue: needsQueue) { variables[$0] }
  }

  @Test func `the sample is read`() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../samples/tstat_send.sample.ini")
    let configuration = try Self.read(try String(contentsOf: path, encoding: .utf8))
    #expect(configuration.broker == "rabbit.example.org:5671" && configuration.tls != nil)
    #expect(configuration.password == .init("write-your-own") && configuration.queueOptions.isDurable)
  }

  @Test func `the required keys are enough`() throws {
    let configuration = try Self.read(Self.text())
    #expect(
      configuration.host == "broker.example" && configuration.port == 5671 && configuration.user == "me")
    #expect(
      configuration.password == .init("secret") && configuration.tls == nil && configuration.vhost == "/")
    #expect(configuration.queue == "q" && configuration.routingKey == "k" && configuration.exchange == "e")
    #expect(configuration.heartbeat == 60 && configuration.declaration == .auto)
    #expect(configuration.queueOptions == .init() && configuration.broker == "broker.example:5671")
  }

  @Test func `all options are read`() throws {
    let configuration = try Self.read(
      Self.text(
        [
          "use_ssl": "Yes", "heartbeat": "0", "declare": "Active", "exchange": "", "routing_key": "",
          "password": "",
        ],
        """
        [rabbit_queue_options]
        passive = no
        durable = 1
        exclusive = no
        auto_delete = on
        [ssl_options]
        keyfile = /k
        certfile = /c
        cert_reqs = CERT_REQUIRED
        ssl_version = ssl.PROTOCOL_TLSv1_2
        ca_certs = /ca
        ciphers = HIGH
        server_hostname = other.example
        """))
    var tls = RabbitConfiguration.TLS()
    (tls.key, tls.certificate, tls.authorities, tls.ciphers) = ("/k", "/c", "/ca", "HIGH")
    (tls.serverName, tls.isOnlyTLS12) = ("other.example", true)
    #expect(configuration.tls == tls && tls.verifies && configuration.heartbeat == 0)
    #expect(
      configuration.declaration == .active && configuration.exchange == "" && configuration.routingKey == "")
    let options = configuration.queueOptions
    #expect(options.isDurable && options.isAutoDeleted)
  }

  @Test(
    arguments: [
      ("CERT_REQUIRED", true), ("cert_optional", true), ("ssl.CERT_NONE", false), ("none", false), ("", true),
      ("0", false),
    ])
  func `only a word switches verification off`(value: String, verifies: Bool) throws {
    let text = Self.text(["use_ssl": "on"], "[ssl_options]\nca_certs =\ncert_reqs = \(value)\n")
    let tls = try #require(try Self.read(text).tls)
    #expect(tls.verifies == verifies && tls.authorities == nil)
    let warnings = try Self.read(text).warnings
    #expect(warnings.map(\.line) == (verifies ? [] : [13]))
    // Without TLS there is nothing to warn of.
    #expect(try Self.read(text.replacing("use_ssl = on", with: "use_ssl = no")).warnings.isEmpty)
    #expect(try Self.read(Self.text(["use_ssl": "on"])).tls == .init())
  }

  @Test func `passive is one of the properties of a queue as well`() throws {
    let options = "[rabbit_queue_options]\npassive = yes\ndurable =\n"
    #expect(try Self.read(Self.text([:], options)).declaration == .passive)
    #expect(try Self.read(Self.text(["declare": "passive"], options)).declaration == .passive)
    #expect(try Self.read(Self.text(["declare": "none"])).declaration == RabbitConfiguration.Declaration.none)
  }

  @Test func `another section has no queue, and no keys for one`() throws {
    let without: [String: String?] = ["queue": nil, "routing_key": nil]
    let configuration = try Self.read(
      Self.text(without, section: "publish"), section: "publish", needsQueue: false)
    #expect(
      configuration.queue == nil && configuration.routingKey == nil && configuration.section == "publish")
    for key in ["queue", "routing_key", "declare"] {
      let text = Self.text(without.merging([key: "auto"]) { $1 }, section: "publish")
      let error = #expect(throws: INIError.self) {
        try Self.read(text, section: "publish", needsQueue: false)
      }
      #expect(error?.description.contains("unknown key \"\(key)\" in [publish]") == true)
    }
  }

  @Test func `values may be variables`() throws {
    let configuration = try Self.read(
      Self.text([
        "host": "${HOST:localhost}", "port": "${PORT:5672:1}", "password": "${PASSWORD}",
        "vhost": "${UNSET:/x}",
        "exchange": "${EMPTY:e}", "use_ssl": "${TLS:no}",
      ]),
      variables: ["PASSWORD": "p:${x}", "EMPTY": "", "TLS": "yes"])
    #expect(configuration.host == "localhost" && configuration.port == 5672 && configuration.vhost == "/x")
    #expect(
      configuration.password == .init("p:${x}") && configuration.exchange == "" && configuration.tls != nil)
  }

  @Test func `no text has the password`() throws {
    let configuration = try Self.read(Self.text(["use_ssl": "yes", "vhost": "v"]))
    #expect(configuration.description == "amqps://me@broker.example:5671/v")
    var dumped = ""
    dump(configuration, to: &dumped)
    for text in ["\(configuration)", String(reflecting: configuration), dumped, "\(configuration.password)"] {
      #expect(!text.contains("secret"))
    }
    #expect(dumped.contains("***"))
  }

  struct Wrong: Sendable, CustomTestStringConvertible {
    let changes: [String: String?]
    var more = ""
    let message: String
    var testDescription: String { message }
  }

  static let wrong = [
    Wrong(changes: ["host": nil], message: "f:1: [rabbit] needs host: add a line host=..."),
    Wrong(changes: ["host": ""], message: "f:2: host is empty: give it a value"),
    Wrong(
      changes: ["host": "amqp://me:secret@broker"],
      message: "f:2: host must be the name or address of the broker alone, without a scheme, a user or a path"
    ),
    Wrong(changes: ["port": "x"], message: "f:3: port=\"x\" must be a whole number from 1 to 65535"),
    Wrong(changes: ["port": "0"], message: "f:3: port=\"0\" must be a whole number from 1 to 65535"),
    Wrong(changes: ["password": nil], message: "f:1: [rabbit] needs password: add a line password=..."),
    Wrong(changes: ["use_ssl": nil], message: "f:1: [rabbit] needs use_ssl: add a line use_ssl=..."),
    Wrong(
      changes: ["use_ssl": "ssl"],
      message: "f:6: use_ssl=\"ssl\" must be yes or no (or true, false, on, off, 1, 0)"),
    Wrong(changes: ["queue": nil], message: "f:1: [rabbit] needs queue: add a line queue=..."),
    Wrong(changes: ["queue": ""], message: "f:8: queue is empty: give it a value"),
    Wrong(
      changes: ["routing_key": nil], message: "f:1: [rabbit] needs routing_key: add a line routing_key=..."),
    Wrong(changes: ["exchange": nil], message: "f:1: [rabbit] needs exchange: add a line exchange=..."),
    Wrong(
      changes: ["routing_key": String(repeating: "k", count: 256)],
      message: "f:9: routing_key has more than 255 bytes, which AMQP does not allow: shorten it"),
    Wrong(changes: ["hots": "x"], message: "f:11: unknown key \"hots\" in [rabbit] (did you mean host?)"),
    Wrong(
      changes: ["heartbeat": "-1"], message: "f:11: heartbeat=\"-1\" must be a whole number from 0 to 65535"),
    Wrong(
      changes: ["declare": "actve"], message: "f:11: declare=\"actve\" is not known (did you mean active?)"),
    Wrong(
      changes: ["declare": "1"],
      message: "f:11: declare=\"1\" is not known: write one of auto, passive, active, none"),
    Wrong(
      changes: ["declare": "active"], more: "[rabbit_queue_options]\npassive=1\n",
      message: "f:13: passive contradicts declare=active in [rabbit]: remove one of the two"),
    Wrong(
      changes: [:], more: "[rabbit_queue_options]\nexclusive=yes\n",
      message:
        "f:12: an exclusive queue ends with the connection, and what was confirmed with it: write exclusive=no"
    ),
    Wrong(
      changes: [:], more: "[rabbit_queue_options]\ndurabel=1\n",
      message: "f:12: unknown key \"durabel\" in [rabbit_queue_options] (did you mean durable?)"),
    Wrong(
      changes: [:], more: "[ssl_options]\nkeyfile=/k\n",
      message: "f:12: keyfile is of no use without its certificate: add a line certfile=..."),
    Wrong(
      changes: [:], more: "[ssl_options]\ncert_reqs=CERT_REQIRED\n",
      message: "f:12: cert_reqs=\"CERT_REQIRED\" is not known (did you mean CERT_REQUIRED?)"),
    Wrong(
      changes: [:], more: "[ssl_options]\nssl_version=PROTOCOL_TLSv1\n",
      message:
        "f:12: ssl_version=\"PROTOCOL_TLSv1\" is not known or not safe: write PROTOCOL_TLS for 1.2 and later, or"
        + " remove it"),
    Wrong(
      changes: [:], more: "[ssl_options]\ncacerts=/k\n",
      message: "f:12: unknown key \"cacerts\" in [ssl_options] (did you mean ca_certs?)"),
  ]

  @Test(arguments: wrong)
  func `what is wrong is an error with its line`(row: Wrong) {
    let error = #expect(throws: INIError.self) { try Self.read(Self.text(row.changes, row.more)) }
    #expect(error?.description == row.message)
  }

  @Test func `a missing section is named with what it needs`() {
    let error = #expect(throws: INIError.self) { try Self.read("[http]\nurl=x\n") }
    #expect(
      error?.description
        == "f:1: there is no [rabbit]: add the section with the keys host, port, username, password, use_ssl, vhost,"
        + " exchange, queue, routing_key")
    let other = #expect(throws: INIError.self) { try Self.read("", section: "publish", needsQueue: false) }
    #expect(
      other?.description
        == "f:1: there is no [publish]: add the section with the keys host, port, username, password, use_ssl, vhost,"
        + " exchange")
  }
}
