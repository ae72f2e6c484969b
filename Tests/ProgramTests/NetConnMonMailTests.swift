import Foundation
import Glibc
import Lab
import Testing

/// What netconnmon mails, by which configuration and from which folder, through a server in the same network.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct NetConnMonMailTests {
  @Test func `an outage is one mail with both lines`() async throws {
    let setting = try await NetConnMonMailSetting()
    try setting.configure()
    let monitor = try setting.start()
    let (reference, lines) = try await setting.recover(monitor)
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(mail.from == "gate@example.org" && mail.to == ["root@example.org"] && mail.tls)
    #expect(mail.field("Subject") == "pyNetConnMon")
    #expect(mail.field("Date") != nil && mail.field("Message-ID") != nil)
    #expect(mail.textLines == lines)
    try await setting.nothingWaits()
    // The next one is held back, and handed over at the end.
    try await reference.stop(SIGKILL)
    // It ends with what owns it, which would be another outage.
    let (again, later) = try await setting.recover(monitor, from: 2)
    #expect(try await monitor.stop() == .exited(0))
    try await again.stop(SIGKILL)
    let mails = try await setting.server.mails(count: 2)
    #expect(mails.count == 2 && mails[1].textLines == later)
    #expect(setting.waiting.isEmpty && monitor.errors.text.isEmpty, "\(monitor.errors.text)")
  }

  @Test func `a damaged file is put aside and said, and the program goes on`() async throws {
    let setting = try await NetConnMonMailSetting()
    try setting.configure()
    try FileManager.default.createDirectory(atPath: setting.spool, withIntermediateDirectories: true)
    try setting.folder.write("netconnmon 1\nsaved 1", to: "state/spool/program.state")
    let monitor = try setting.start()
    let (reference, lines) = try await setting.recover(monitor)
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(mail.textLines == lines)
    #expect(try await monitor.stop() == .exited(0))
    try await reference.stop(SIGKILL)
    #expect(setting.folder.read("state/spool/program.damaged") == "netconnmon 1\nsaved 1")
    #expect(monitor.errors.lines.count == 1)
    #expect(
      monitor.errors.text.contains("(it is damaged)")
        && monitor.errors.text.contains("program.damaged, and remove it."))
  }

  @Test(arguments: UselessFolder.all)
  func `a folder that is of no use is said, and mail is sent all the same`(place: UselessFolder) async throws
  {
    let setting = try await NetConnMonMailSetting()
    try setting.configure()
    let monitor = try setting.start(in: place)
    let (reference, lines) = try await setting.recover(monitor)
    #expect(try await setting.server.mails(count: 1).first?.textLines == lines)
    try await reference.stop(SIGKILL)
    try await setting.lines(3, of: monitor)
    #expect(try await monitor.stop() == .exited(0))
    let complaints = monitor.errors.lines
    #expect(complaints.count == 2, "\(monitor.errors.text)")
    #expect(complaints.last?.contains("what the next start is to go on with") == true)
    #expect(complaints.allSatisfy { $0.contains(place.said) && $0.contains(setting.spool) }, "\(complaints)")
  }

  @Test func `a configuration that comes later is used after a reload, a wrong one is not`() async throws {
    let setting = try await NetConnMonMailSetting()
    let monitor = try setting.start()
    let (reference, _) = try await setting.recover(monitor)
    try setting.folder.write("{\n \"mail\": 1}", to: "pySendMail/sendMailConfig.json")
    monitor.signal(SIGHUP)
    try await monitor.errors.first("the line") { $0.contains("sendMailConfig.json:2: ") ? () : nil }
    try setting.configure()
    monitor.signal(SIGHUP)
    try await eventually("its folder") {
      FileManager.default.fileExists(atPath: setting.spool) ? () : nil
    }
    try await reference.stop(SIGKILL)
    let (again, lines) = try await setting.recover(monitor, from: 2)
    #expect(try await monitor.stop() == .exited(0))
    try await again.stop(SIGKILL)
    let mails = try await setting.server.mails(count: 1)
    #expect(mails.map(\.textLines) == [lines])
  }

  @Test func `two programs do not share a folder`() async throws {
    let setting = try await NetConnMonMailSetting()
    try setting.configure()
    let first = try setting.start()
    try await setting.lines(1, of: first)
    let second = try setting.start()
    try await setting.lines(1, of: second)
    try await second.errors.first("the warning") { $0.contains("another netconnmon has it") ? () : nil }
    for monitor in [second, first] { #expect(try await monitor.stop() == .exited(0)) }
  }

  @Test(arguments: [
    (["starttls"], 0, "has taken a mail for root@example.org"),
    (["starttls", "rcpt=root@example.org=550"], 69, "550"),
    (["starttls", "data=451"], 75, "is well, and try again."), ([], 69, "STARTTLS"),
  ])
  func `a test mail says what became of it`(words: [String], status: Int32, said: String) async throws {
    let setting = try await NetConnMonMailSetting(words)
    try setting.configure()
    let program = try setting.start(["--test-mail", "--mail-config", setting.configuration])
    #expect(try await program.ended() == .exited(status))
    let text = status == 0 ? program.output.text : program.errors.text
    #expect(text.contains(said), "\(text)")
    if status == 0 {
      let mail = try #require(try await setting.server.mails(count: 1).first)
      #expect(mail.textLines.first?.contains("this is a test of netconnmon") == true)
    }
  }

  @Test(arguments: [
    (["--test-mail"], "there is no pySendMail/sendMailConfig.json or /etc/bwmon/sendMailConfig.json"),
    (["--mail-config", "/nonexistent.json"], "/nonexistent.json: No such file or directory"),
    (["--mail-config", "/dev/null"], "/dev/null:1: "),
  ])
  func `what is wrong with the configuration is said`(arguments: [String], said: String) async throws {
    let setting = try await NetConnMonMailSetting()
    let program = try setting.start(arguments)
    #expect(try await program.ended() == .exited(78))
    #expect(program.errors.text.contains(said), "\(program.errors.text)")
  }
}
