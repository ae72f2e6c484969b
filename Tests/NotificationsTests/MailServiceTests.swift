import Curl
import Foundation
import Lab
import Model
import Synchronization
import SystemRuntime
import Testing

@testable import Notifications

@Suite struct MailServiceTests {
  private let scratch: ScratchFolder
  private let lines = Lines()
  private let owned = OwnedFolders()

  init() throws { scratch = try ScratchFolder() }

  private var folder: String { "\(scratch.path)/spool" }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  private func configuration(_ server: TestServer) throws -> MailConfiguration {
    let text = #"""
      {"mail": {"from": "bwmon@example.org", "to": "root@example.org", "smtp": {"server": "localhost",
       "port": \#(server.port), "tls": false, "cafile": "\#(server.certificate)"}}}
      """#
    return try MailConfiguration(name: "mail.json", bytes: Array(text.utf8))
  }

  /// The folder, which two services of one test share as if the first had been killed.
  private func taken(_ path: String) -> @Sendable () -> OwnFolder? {
    { [owned] in owned.take(path) }
  }

  /// A folder that was taken, and removed with the one above it.
  private func removedFolder() throws -> String {
    let path = "\(scratch.path)/gone/spool"
    _ = owned.take(path)
    try FileManager.default.removeItem(atPath: "\(scratch.path)/gone")
    return path
  }

  private func configurations(_ configuration: MailConfiguration) -> MailConfigurations {
    var configurations = MailConfigurations()
    for stream in ["net", "a", "b", "c"] {
      configurations.add(configuration, file: "mail.json", section: stream)
    }
    return configurations
  }

  private func service(
    _ server: TestServer, pause: Duration = .milliseconds(1), in folder: String? = nil
  ) throws -> MailService {
    var service = MailService(
      configurations(try configuration(server)), folder: taken(folder ?? self.folder),
      host: "gate",
      now: { Timestamp(seconds: 1_764_430_000, utcOffset: 3600) }, warn: { [lines] in lines.append($0.code) })
    service.pauses.first = pause
    service.pauses.longest = pause
    return service
  }

  @Test func `a report is one mail, and its file goes`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let service = try service(server)
    async let end: Void = service.run()
    service.submit(subject: "connectivity é", body: "one\n.two\n", stream: "net", configuration: "mail.json")
    let mail = try #require(try await server.mails(count: 1).first)
    #expect(mail.field("Subject") == "=?utf-8?B?Y29ubmVjdGl2aXR5IMOp?=")
    #expect(mail.field("Date") == "Sat, 29 Nov 2025 16:26:40 +0100")
    #expect(mail.field("Message-ID")?.hasSuffix("@gate>") == true)
    #expect(mail.data.hasSuffix("\r\n\r\none\r\n.two\r\n"))
    try await wait { files.isEmpty }
    service.finish(within: .seconds(600))
    await end
    #expect(lines.all.isEmpty && server.reports("mail").count == 1)
  }

  @Test func `451 and then 250 are one mail with one identifier`() async throws {
    let server = try await TestServer("mail_server", ["starttls", "data=451x2"])
    let service = try service(server)
    async let end: Void = service.run()
    service.submit(subject: "s", body: "b", stream: "net", configuration: "mail.json")
    let mails = try await server.mails(count: 3)
    #expect(mails.map(\.answer) == ["451", "451", "250"])
    #expect(Set(mails.map { $0.field("Message-ID") }).count == 1)
    service.finish(within: .seconds(600))
    await end
    #expect(lines.all == ["mail_failed", "mail_failed"], "\(lines.all)")
    #expect(files.isEmpty)
  }

  @Test func `a lost answer is another attempt with the same identifier, also after a restart`() async throws
  {
    let server = try await TestServer("mail_server", ["starttls", "dropx1"])
    let first = try service(server, pause: .seconds(600))
    async let end: Void = first.run()
    first.submit(subject: "s", body: "b", stream: "net", configuration: "mail.json")
    try await wait { lines.all == ["mail_failed"] }
    #expect(files == ["000000000000.sending"])
    let later = MailReport(
      stream: "net", subject: "s", body: "c", messageID: "later@gate", created: Timestamp(seconds: 2))
    try Data(later.file).write(to: URL(filePath: "\(folder)/000000000001.waiting"))
    // As after SIGKILL: the first service does nothing more.
    let second = try service(server)
    async let secondEnd: Void = second.run()
    let mails = try await server.mails(count: 3)
    #expect(mails.map(\.answer) == ["drop", "250", "250"])
    #expect(mails[0].field("Message-ID") == mails[1].field("Message-ID"))
    #expect(mails[1].data.hasSuffix("\r\n\r\nb\r\n") && mails[2].data.hasSuffix("\r\n\r\nc\r\n"))
    second.finish(within: .seconds(600))
    await secondEnd
    #expect(files.isEmpty)
    first.finish(within: .zero)
    await end
  }

  @Test func `all that happened while the server was away is one mail`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    var away = try configuration(server)
    // The server is at 127.0.0.1 alone.
    away.server = "127.0.0.2"
    let time: @Sendable () -> Timestamp = { Timestamp(seconds: 1_764_430_000) }
    for lines in [["1 down", "1 up"], ["2 down", "2 up"]] {
      var service = MailService(
        configurations(away), folder: taken(folder), host: "gate", now: time, warn: { _ in })
      service.pauses.first = .seconds(600)
      for line in lines {
        service.submit(subject: "net", body: line, stream: "net", configuration: "mail.json")
      }
      service.finish(within: .seconds(600))
      await service.run()
      #expect(!files.isEmpty && files.allSatisfy { $0.hasSuffix(".waiting") })
    }
    let service = try service(server)
    service.finish(within: .seconds(600))
    await service.run()
    let mails = try await server.mails(count: 1)
    #expect(mails.count == 1 && mails[0].data.hasSuffix("\r\n\r\n1 down\r\n1 up\r\n2 down\r\n2 up\r\n"))
    #expect(files.isEmpty)
  }

  @Test func `a refused login is one error and no other attempt until a reload`() async throws {
    let server = try await TestServer("mail_server", ["starttls", "auth=PLAIN", "refuse-auth=535"])
    let good = try await TestServer("mail_server", ["starttls"])
    var wrong = try configuration(server)
    (wrong.user, wrong.password) = ("user", "secret")
    let warnings = Lines()
    let service = MailService(
      configurations(wrong), folder: taken(folder), host: "gate",
      now: { Timestamp(seconds: 1_764_430_000) }, warn: { warnings.append($0.text) })
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    try await wait { warnings.count == 1 }
    service.submit(subject: "s", body: "2", stream: "net", configuration: "mail.json")
    service.reload(configurations(try configuration(good)))
    #expect(try await good.mails(count: 1).first?.data.hasSuffix("\r\n\r\n1\r\n2\r\n") == true)
    service.finish(within: .seconds(600))
    await end
    #expect(server.reports("auth").count == 1 && warnings.count == 2)
    #expect(warnings.all[0].contains("535") && !warnings.all[0].contains("secret"))
  }

  @Test func `a refused login is not tried at the end either, and the next start sends what waits`()
    async throws
  {
    let server = try await TestServer("mail_server", ["starttls", "auth=PLAIN", "refuse-auth=535"])
    var wrong = try configuration(server)
    (wrong.user, wrong.password) = ("user", "secret")
    let first = MailService(
      configurations(wrong), folder: taken(folder), host: "gate",
      now: { Timestamp(seconds: 1_764_430_000) }, warn: { [lines] in lines.append($0.code) })
    async let end: Void = first.run()
    first.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    try await wait { lines.count == 1 }
    first.submit(subject: "s", body: "2", stream: "net", configuration: "mail.json")
    first.finish(within: .seconds(600))
    await end
    #expect(server.reports("auth").count == 1 && lines.all == ["mail_failed"])
    let good = try await TestServer("mail_server", ["starttls"])
    let second = try service(good)
    second.finish(within: .seconds(600))
    await second.run()
    #expect(try await good.mails(count: 1).first?.data.hasSuffix("\r\n\r\n1\r\n2\r\n") == true)
    #expect(files.isEmpty && good.reports("mail").count == 1)
  }

  @Test func `a silent server does not keep the end waiting, and nothing is lost`() async throws {
    let server = try await TestServer("mail_server", ["silent-greeting"])
    let service = try service(server)
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    _ = try await server.reports("session", count: 1)
    service.submit(subject: "s", body: "2", stream: "net", configuration: "mail.json")
    service.finish(within: .milliseconds(1))
    await end
    #expect(files == ["000000000000.sending", "000000000001.waiting"])
    #expect(lines.all.isEmpty)
  }

  @Test func `a cancelled service ends and keeps what waits`() async throws {
    let server = try await TestServer("mail_server", ["silent-greeting"])
    let service = try service(server)
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await service.run() }
      _ = try await server.reports("session", count: 1)
      group.cancelAll()
      try await group.waitForAll()
    }
    #expect(files == ["000000000000.sending"])
  }

  @Test func `without a usable folder mail is sent all the same, which is said once`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let service = try service(server, in: try removedFolder())
    for stream in ["a", "b", "c"] {
      service.submit(subject: "s", body: "1", stream: stream, configuration: "mail.json")
    }
    service.finish(within: .seconds(600))
    await service.run()
    #expect(try await server.mails(count: 3).count == 3)
    #expect(lines.all == ["mail_spool_unusable"])
  }

  @Test func `what is only in memory and never sent is said`() async throws {
    let server = try await TestServer("mail_server", ["silent-greeting"])
    var service = try service(server, in: try removedFolder())
    service.pauses.first = .seconds(600)
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    service.finish(within: .zero)
    await service.run()
    #expect(lines.all == ["mail_spool_unusable", "mail_lost"])
  }

  @Test func `foreign files are left alone and said once, unfinished ones are removed`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, text) in [
      ("000000000003.waiting", "{"), ("note.txt", "x"), ("000000000004.waiting.new", "{}"), (".hidden", ""),
    ] { try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)")) }
    try FileManager.default.createDirectory(
      atPath: "\(folder)/000000000005.waiting", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/000000000006.waiting", withDestinationPath: "/etc/passwd")
    let service = try service(server)
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    service.finish(within: .seconds(600))
    await service.run()
    #expect(try await server.mails(count: 1).count == 1)
    #expect(lines.all == ["mail_spool_foreign"])
    #expect(
      files == [
        ".hidden", "000000000003.waiting", "000000000005.waiting", "000000000006.waiting", "note.txt",
      ])
  }

  @Test func `a mail that is refused for good stops no other, also after a restart`() async throws {
    let server = try await TestServer("mail_server", ["starttls", "refuse-text=poison=554"])
    let first = try service(server)
    async let end: Void = first.run()
    first.submit(subject: "s", body: "poison", stream: "net", configuration: "mail.json")
    try await wait { lines.all == ["mail_failed"] }
    first.submit(subject: "s", body: "good", stream: "net", configuration: "mail.json")
    try await wait { server.reports("mail").count == 2 && files == ["000000000000.sending"] }
    first.finish(within: .seconds(600))
    await end
    let second = try service(server)
    second.submit(subject: "s", body: "better", stream: "net", configuration: "mail.json")
    second.finish(within: .seconds(600))
    await second.run()
    let mails = try await server.mails(count: 1)
    let (taken, refused) = (mails.filter { $0.answer == "250" }, mails.filter { $0.answer == "554" })
    #expect(taken.map { $0.data.contains("\r\n\r\ngood\r\n") } == [true, false] && taken.count == 2)
    #expect(taken.last?.data.hasSuffix("\r\n\r\nbetter\r\n") == true && files == ["000000000000.sending"])
    // Once for each start.
    #expect(refused.count == 2 && Set(refused.map { $0.field("Message-ID") }).count == 1)
  }

  @Test func `each mail goes to its own server, and one that is silent holds up no other`() async throws {
    let silent = try await TestServer("mail_server", ["silent-greeting"])
    let server = try await TestServer("mail_server", ["starttls"])
    var both = MailConfigurations()
    both.add(try configuration(silent), file: "silent", section: "a")
    both.add(try configuration(server), file: "good", section: "b")
    let service = MailService(
      both, folder: taken(folder), host: "gate",
      now: { Timestamp(seconds: 1_764_430_000) }, warn: { [lines] in lines.append($0.code) })
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "a", configuration: "silent")
    _ = try await silent.reports("session", count: 1)
    service.submit(subject: "s", body: "2", stream: "b", configuration: "good")
    #expect(try await server.mails(count: 1).first?.data.hasSuffix("\r\n\r\n2\r\n") == true)
    try await wait { files.count == 1 }
    service.finish(within: .zero)
    await end
    // The next start has another file for the section.
    let next = try self.service(server)
    next.finish(within: .seconds(600))
    await next.run()
    #expect(try await server.mails(count: 2).last?.data.hasSuffix("\r\n\r\n1\r\n") == true)
    #expect(files.isEmpty && lines.all.isEmpty)
  }

  @Test func `a server that takes a mail and stays silent holds up no other, and not the end`() async throws {
    let silent = try await TestServer("mail_server", ["starttls", "silent-data"])
    let server = try await TestServer("mail_server", ["starttls"])
    var both = MailConfigurations()
    both.add(try configuration(silent), file: "silent", section: "a")
    both.add(try configuration(server), file: "good", section: "b")
    let service = MailService(
      both, folder: taken(folder), host: "gate", now: { Timestamp(seconds: 1_764_430_000) },
      warn: { [lines] in lines.append($0.code) })
    let ended = Lines()
    async let end: Void = {
      await service.run()
      ended.append("ended")
    }()
    service.submit(subject: "s", body: "1", stream: "a", configuration: "silent")
    _ = try await silent.reports("command DATA", count: 1)
    service.submit(subject: "s", body: "2", stream: "b", configuration: "good")
    #expect(try await server.mails(count: 1).count == 1)
    try await wait { files == ["000000000000.sending"] }
    service.finish(within: .milliseconds(1))
    // libcurl looks each second; the server would be waited for for longer than this waits.
    try await wait { !ended.all.isEmpty }
    await end
    #expect(files == ["000000000000.sending"] && lines.all.isEmpty)
  }

  @Test func `a mail that nothing says how to send is said and kept`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let report = MailReport(
      stream: "gone", configuration: "/gone.json", subject: "s", body: "b", messageID: "1@h",
      created: Timestamp(seconds: 1))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(report.file).write(to: URL(filePath: "\(folder)/000000000000.waiting"))
    let service = try service(server)
    service.submit(subject: "s", body: "1", stream: "a", configuration: "mail.json")
    service.finish(within: .seconds(600))
    await service.run()
    #expect(try await server.mails(count: 1).count == 1)
    #expect(files == ["000000000000.waiting"] && lines.all == ["mail_unconfigured"])
  }

  @Test func `the folder is taken with the first configuration, and for one program alone`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let warnings = Lines()
    let service = MailService(
      MailConfigurations(),
      folder: { [folder] in SpoolFolder.take(folder, program: "bwmon") { warnings.append($0.text) } },
      host: "gate", now: { Timestamp(seconds: 1) },
      warn: { [lines] in lines.append($0.code) })
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "a", configuration: "mail.json")
    service.reload(configurations(try configuration(server)))
    service.submit(subject: "s", body: "2", stream: "a", configuration: "mail.json")
    #expect(try await server.mails(count: 1).first?.data.hasSuffix("\r\n\r\n2\r\n") == true)
    #expect(SpoolFolder.take(folder, program: "bwmon") { warnings.append($0.text) } == nil)
    service.finish(within: .seconds(600))
    await end
    #expect(SpoolFolder.take(folder, program: "bwmon") { warnings.append($0.text) } != nil)
    #expect(warnings.count == 1 && warnings.all[0].contains("another bwmon has it") && lines.all.isEmpty)
  }

  @Test func `a clock that goes back changes neither order nor number`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    var away = try configuration(server)
    away.server = "127.0.0.2"
    for (seconds, body) in [(Int64(2_000_000_000), "1"), (-5, "2")] {
      var service = MailService(
        configurations(away), folder: taken(folder), host: "gate",
        now: { Timestamp(seconds: seconds) }, warn: { _ in })
      service.pauses.first = .seconds(600)
      service.submit(subject: "s", body: body, stream: "net", configuration: "mail.json")
      service.finish(within: .seconds(600))
      await service.run()
    }
    let service = try service(server)
    service.finish(within: .seconds(600))
    await service.run()
    let mails = try await server.mails(count: 1)
    #expect(mails.map { $0.data.hasSuffix("\r\n\r\n1\r\n2\r\n") } == [true] && files.isEmpty)
  }

  @Test func `too many that nobody looks at are refused`() async throws {
    let server = try await TestServer("mail_server")
    let service = try service(server)
    for _ in 0..<MailService.capacity {
      #expect(service.submit(subject: "s", body: "b", stream: "a", configuration: "mail.json"))
    }
    #expect(!service.submit(subject: "s", body: "b", stream: "a", configuration: "mail.json"))
  }
}

/// Folders that the services of a test have taken.
private final class OwnedFolders: Sendable {
  private let folders = Mutex<[String: OwnFolder]>([:])

  func take(_ path: String) -> OwnFolder? {
    folders.withLock { folders in
      folders[path] = folders[path] ?? (try? OwnFolder(path))
      return folders[path]
    }
  }
}
