import Foundation
import Glibc
import Lab
import Testing

/// Mails of alerts about the network, which wait until the mail server can be reached again (P31).
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct AggregatorMailTests {
  /// A network, a mail server in it, and rules of which one mails when this host does not answer pings.
  private struct Setting {
    let namespace: NetworkNamespace
    let server: TestServer
    let folder: ScratchFolder

    var spool: String { "\(folder.path)/state/spool" }

    init() async throws {
      namespace = try await NetworkNamespace()
      server = try await TestServer("mail_server", ["starttls"], in: namespace)
      folder = try ScratchFolder()
      try folder.write(server.mailConfiguration, to: "mail.json")
      try folder.write("[gate]\ntype=ping\nhost=127.0.0.1\ncount=1\ninterval=0.2\n", to: "monitors.cfg")
      try folder.write(
        "[Gateway]\ndown=yes\non_resolve=yes\nmail_config=\(folder.path)/mail.json\n", to: "rules.cfg")
    }

    func start(_ place: UselessFolder? = nil) throws -> ChildProcess {
      try namespace.start(
        (place?.wrapper("\(folder.path)/state") ?? []) + [
          Program.path("runaggregator"), "--format", "json", "--interval", "0.2", "--monitor-config",
          "\(folder.path)/monitors.cfg", "--notification-config", "\(folder.path)/rules.cfg", "--spool",
          "\(folder.path)/state/\(place?.path ?? "spool")",
        ])
    }

    func close(_ rule: String, _ name: String) async throws {
      try await namespace.nft(
        "table inet \(name) { chain in { type filter hook input priority 0; \(rule); }; }")
    }

    /// The reports that wait.
    var waiting: [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []).filter { $0 != "alerts" }
    }

    /// The line of an alert.
    func line(_ words: String, of program: ChildProcess) async throws -> String {
      try await program.errors.first(words) { $0.contains(words) ? $0 : nil }
    }
  }

  @Test func `the mail of an outage survives it, SIGKILL and a restart, and comes once with all lines`()
    async throws
  {
    let setting = try await Setting()
    try await setting.close("tcp dport \(setting.server.port) reject with tcp reset", "smtp")
    try await setting.close("icmp type echo-request drop", "gate")
    let first = try setting.start()
    let down = try await setting.line("is down", of: first)
    _ = try await setting.line("a mail was not sent", of: first)
    try await setting.namespace.nft("delete table inet gate")
    let up = try await setting.line("is up again", of: first)
    try await eventually("both lines in one file", state: { "\(setting.waiting)" }) {
      setting.waiting.count == 1
        && setting.folder.read("state/spool/\(setting.waiting[0])").contains("is up again")
        ? () : nil
    }
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    let second = try setting.start()
    _ = try await setting.line("a mail was not sent", of: second)
    #expect(setting.server.reports("mail").isEmpty && setting.waiting.count == 1)
    try await setting.namespace.nft("delete table inet smtp")
    // Else it would be tried again after half a minute.
    second.signal(SIGHUP)
    let mail = try #require(try await setting.server.mails(count: 1).first)
    let text = mail.data.components(separatedBy: "\r\n")
    let places = try [down, up].map { line in
      try #require(text.firstIndex(of: line.trimmingCharacters(in: .whitespaces)), "\(mail.data)")
    }
    #expect(places[0] < places[1])
    #expect(text.filter { $0 == "BWMON_STATE: firing" || $0 == "BWMON_STATE: resolved" }.count == 2)
    #expect(mail.data.replacing("\r\n ", with: " ").contains("is down") && mail.field("Date") != nil)
    try await eventually("an empty folder", state: { "\(setting.waiting)" }) {
      setting.waiting.isEmpty ? () : nil
    }
    #expect(try await second.stop() == .exited(0))
    #expect(setting.server.reports("mail").count == 1)
  }

  @Test(
    arguments: UselessFolder.all + [
      UselessFolder.absent,
      UselessFolder(
        prepare: "mkdir STATE/spool && echo x >STATE/spool/000000000000.waiting",
        said: "cannot be read as mails"),
      UselessFolder(prepare: "touch STATE/spool", said: "mails cannot wait in"),
    ])
  func `a folder that is of no use is said once, and mail is sent all the same`(place: UselessFolder)
    async throws
  {
    let setting = try await Setting()
    let program = try setting.start(place)
    // Until then nothing is to be kept.
    try await program.output.first("a report") { $0.isEmpty ? nil : () }
    try await setting.close("icmp type echo-request drop", "gate")
    let down = try await setting.line("is down", of: program)
    #expect(try await setting.server.mails(count: 1).first?.data.contains(down) == true)
    try await setting.namespace.nft("delete table inet gate")
    let up = try await setting.line("is up again", of: program)
    #expect(try await setting.server.mails(count: 2).last?.data.contains(up) == true)
    #expect(try await program.stop() == .exited(0))
    let complaints = program.errors.lines.filter { $0.contains("mails") }
    #expect(complaints.count == 1 && complaints[0].contains(place.said), "\(program.errors.text)")
    #expect(setting.server.reports("mail").count == 2)
  }

  @Test func `the folder is for one program, and none is made without a section that mails`() async throws {
    let setting = try await Setting()
    let first = try setting.start()
    try await eventually("its folder") {
      FileManager.default.fileExists(atPath: setting.spool) ? () : nil
    }
    let second = try setting.start()
    _ = try await setting.line("another runaggregator has it", of: second)
    for program in [second, first] { #expect(try await program.stop() == .exited(0)) }
    try FileManager.default.removeItem(atPath: setting.spool)
    try setting.folder.write("[Gateway]\ndown=yes\n", to: "rules.cfg")
    let third = try setting.start()
    try await third.output.first("a report") { $0.isEmpty ? nil : () }
    #expect(try await third.stop() == .exited(0))
    #expect(!FileManager.default.fileExists(atPath: setting.spool))
  }
}
