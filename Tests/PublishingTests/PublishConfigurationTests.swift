import INI
import Model
import Testing

@testable import Publishing

/// The section [publish], and what stands in names and keys.
@Suite struct PublishConfigurationTests {
  private func read(_ text: String) throws -> PublishConfiguration {
    let file = try INIFile(name: "p.cfg", bytes: Array("[publish]\n\(text)\n".utf8))
    return try PublishConfiguration(file.sections[0])
  }

  @Test func `what is not said has its default`() throws {
    let standard = try read("host=h")
    #expect(standard.transport == .rabbit && standard.events == [.usage, .alert] && standard.spool == nil)
    #expect(standard.spoolSize == 64 << 20 && standard.window == 64)
    let all = try read(
      "transport=http\nevents=probe, outage warning\nspool=/var/x\nspool_size=100 MiB\nwindow=7")
    #expect(all.transport == .http && all.events == [.probe, .outage, .warning] && all.spool == "/var/x")
    #expect(all.spoolSize == 100 << 20 && all.window == 7)
  }

  @Test(arguments: [("65536", 65_536), ("64k", 65_536), ("2G", 2 << 30), ("1M", 1 << 20)])
  func `a size has a unit of 1024`(text: String, bytes: Int) throws {
    #expect(try read("spool_size=\(text)").spoolSize == bytes)
  }

  @Test(arguments: [
    ("transport=amqp", "unknown transport \"amqp\"; known are rabbit and http"),
    ("events=", "events is empty"), ("events=usages", "unknown event usages in events (did you mean usage?)"),
    ("spool=x", "spool must be an absolute path"), ("spool_size=1k", "spool_size=\"1k\" must be from 64k"),
    ("spool_size=99999999999999999999", "must be from 64k"), ("spool_size=17179869185G", "must be from 64k"),
    ("spool_size=5X", "must be from 64k"),
    ("window=0", "window=\"0\" must be a whole number"),
  ])
  func `what is wrong is said with its line`(text: String, said: String) {
    let error = #expect(throws: INIError.self) { try read(text) }
    #expect(
      error?.line == 2 && error?.description.contains(said) == true, "\(error.map(\.description) ?? "")")
  }

  @Test(arguments: [
    ("web-1", "bwmon.web-1.usage"), ("web.example.org", "bwmon.web_example_org.usage"),
    ("a b*#é", "bwmon.a_b___.usage"), ("", "bwmon.unknown.usage"),
  ])
  func `a host is one word of a routing key`(host: String, key: String) {
    #expect(PublishedEvent.usage.routingKey(host: host) == key)
  }

  @Test(arguments: [
    "000000000012.0123456789abcdef.1764445226.usage", "000000000000.0123456789abcdef.-1.alert",
  ])
  func `a file's name says all but the text`(file: String) throws {
    let name = try #require(PublishSpool.Name(file: file))
    #expect(name.file == file && name.id == "0123456789abcdef-\(name.number)")
  }

  @Test(arguments: [
    "", "x", "12.0123456789abcdef.1.usage", "000000000012.0123456789abcdef.1.other",
    "000000000012.01.1.usage",
    "000000000012.0123456789abcdef.01.usage", "+00000000012.0123456789abcdef.1.usage",
    "000000000012.0123456789abcdef.1.usage.new", "000000000012.0123456789abcdeg.1.usage",
  ])
  func `another's name is none`(file: String) { #expect(PublishSpool.Name(file: file) == nil) }
}
