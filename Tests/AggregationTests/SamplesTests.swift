import Glibc
import INI
import Model
import Testing

@testable import Aggregation

/// The files of `samples/` are read by the program as they are.
@Suite struct SamplesTests {
  /// Reads a sample.
  private func sample(_ name: String) throws -> INIFile { try INIFile(name: name, bytes: bytes(of: name)) }

  /// What is in a sample, which stands beside this test's folder.
  private func bytes(of name: String, file: String = #filePath) -> [UInt8] {
    let root = file.split(separator: "/").dropLast(3).joined(separator: "/")
    guard let stream = unsafe fopen("/\(root)/samples/\(name)", "r") else {
      Issue.record("samples/\(name) is missing")
      return []
    }
    defer { unsafe _ = fclose(stream) }
    var bytes: [UInt8] = []
    while case let byte = unsafe getc(stream), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    return bytes
  }

  private func thresholds(of file: INIFile) throws -> [ThresholdRule] {
    try file.sections.filter(ThresholdRule.hasLimit).map { try ThresholdRule($0) }
  }

  @Test(arguments: [
    ("nginx: worker process", "Webserver"), ("/usr/sbin/apache2 -k start", "Webserver"),
    ("sshd: root@pts/0", "SSH"), ("/usr/bin/ssh host", "SSH"), ("scp a b:", "SSH"), ("ssh-agent", "SSH"),
    ("curl -s http://h/nginx", "Downloads"), ("/usr/bin/curl x", "Downloads"), ("wget x", "Downloads"),
    ("curlew x", "curlew x"), ("vim curl", "vim curl"),
    ("/usr/bin/python3 /usr/bin/borg create", "Backup"), ("rsync -a x y", "Backup"),
    ("/usr/lib/git-core/git-remote-https origin x", "Dev"), ("git pull", "Dev"),
    ("postgres: 15/main: walwriter", "Databases"), ("/usr/lib/postfix/sbin/master -w", "Mail"),
    ("/lib/systemd/systemd-resolved", "Network"), ("/usr/sbin/chronyd -F 1", "Network"),
    ("/usr/lib/apt/methods/http", "Dev"), ("/usr/bin/python3 /usr/bin/pip3 install x", "Dev"),
    ("/usr/lib/firefox/firefox -contentproc", "Desktop"), ("/usr/bin/dockerd -H fd://", "Containers"),
  ])
  func `the sample rules claim what they are named for`(commandLine: String, application: String) throws {
    let rules = try ApplicationRules(sample("group.sample.cfg"), autoGroup: false, inherit: false)
    #expect(rules.claim(process(1, commandLine)).application == application)
  }

  @Test func `the sample notifications are read and document each key`() throws {
    let file = try sample("notifications.sample.cfg")
    let actions = ["notification_command", "on_resolve", "command_timeout", "mail_config", "webhook"]
    let keys = ThresholdRule.keys + ProbeRule.ownKeys + actions
    for section in file.sections { try section.checkKeys(known: keys) }
    let text = String(decoding: bytes(of: "notifications.sample.cfg"), as: UTF8.self)
    for key in keys { #expect(text.contains(key)) }
    let rules = try thresholds(of: file)
    #expect(rules.map(\.name) == ["SSH", "Downloads", "Anything", "Routed"])
    #expect(try file.sections.compactMap { try ProbeRule($0)?.name } == ["Paths", "Unreachable", "Routes"])
    #expect(rules.flatMap(\.warnings) == [])
    let mail = try file.sections.first { $0.name == "SSH" }?.words("notification_command")
    #expect(mail == ["mail", "-s", "SSH exceeding bandwidth limit", "root"])
    for section in file.sections { #expect(try section.words("notification_command")?.isEmpty == false) }
  }

  @Test(arguments: ThresholdRule.remainders)
  func `the sample notifications list each row that a filter can only name`(row: String) {
    #expect(String(decoding: bytes(of: "notifications.sample.cfg"), as: UTF8.self).contains(row))
  }

  @Test func `the sample rules and notifications work together`() throws {
    var aggregator = Aggregator(
      rules: try ApplicationRules(sample("group.sample.cfg"), autoGroup: false, inherit: false))
    let file = try sample("notifications.sample.cfg")
    var thresholds = Thresholds(rules: try thresholds(of: file))
    let curl = process(1, "curl -s http://h/")
    let start = Instant(sinceZero: .seconds(1_000_000))
    var alerts: [Alert] = []
    for second in 1...3 {
      let report = aggregator.absorb(
        [measured([reading(curl, 100_000)])], at: Timestamp(seconds: Int64(second)))
      alerts += thresholds.update(with: report, at: start.advanced(by: .seconds(second)))
    }
    #expect(alerts.map { "\($0.rule) \($0.subject) \($0.state)" } == ["Downloads Downloads firing"])
  }
}
