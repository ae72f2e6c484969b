import Foundation
import Lab
import Model
import Testing

@testable import Notifications

/// What waits in the folder of a mail service, and what that does without a usable one.
@Suite struct MailServiceFolderTests {
  private let shop: MailWorkshop

  init() throws { shop = try MailWorkshop() }

  @Test func `a silent server does not keep the end waiting, and nothing is lost`() async throws {
    let server = try await TestServer("mail_server", ["silent-greeting"])
    let service = try shop.service(server)
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    _ = try await server.reports("session", count: 1)
    service.submit(subject: "s", body: "2", stream: "net", configuration: "mail.json")
    service.finish(within: .milliseconds(1))
    await end
    #expect(shop.files == ["000000000000.sending", "000000000001.waiting"])
    #expect(shop.lines.all.isEmpty)
  }

  @Test func `a cancelled service ends and keeps what waits`() async throws {
    let server = try await TestServer("mail_server", ["silent-greeting"])
    let service = try shop.service(server)
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await service.run() }
      _ = try await server.reports("session", count: 1)
      group.cancelAll()
      try await group.waitForAll()
    }
    #expect(shop.files == ["000000000000.sending"])
  }

  @Test func `without a usable folder mail is sent all the same, which is said once`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let service = try shop.service(server, in: try shop.removedFolder())
    for stream in ["a", "b", "c"] {
      service.submit(subject: "s", body: "1", stream: stream, configuration: "mail.json")
    }
    service.finish(within: .seconds(600))
    await service.run()
    #expect(try await server.mails(count: 3).count == 3)
    #expect(shop.lines.all == ["mail_spool_unusable"])
  }

  @Test func `what is only in memory and never sent is said`() async throws {
    let server = try await TestServer("mail_server", ["silent-greeting"])
    var service = try shop.service(server, in: try shop.removedFolder())
    service.pauses.first = .seconds(600)
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    service.finish(within: .zero)
    await service.run()
    #expect(shop.lines.all == ["mail_spool_unusable", "mail_lost"])
  }

  @Test func `foreign files are left alone and said once, unfinished ones are removed`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    try FileManager.default.createDirectory(atPath: shop.folder, withIntermediateDirectories: true)
    for (name, text) in [
      ("000000000003.waiting", "{"), ("note.txt", "x"), ("000000000004.waiting.new", "{}"), (".hidden", ""),
    ] { try Data(text.utf8).write(to: URL(filePath: "\(shop.folder)/\(name)")) }
    try FileManager.default.createDirectory(
      atPath: "\(shop.folder)/000000000005.waiting", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: "\(shop.folder)/000000000006.waiting", withDestinationPath: "/etc/passwd")
    let service = try shop.service(server)
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    service.finish(within: .seconds(600))
    await service.run()
    #expect(try await server.mails(count: 1).count == 1)
    #expect(shop.lines.all == ["mail_spool_foreign"])
    #expect(
      shop.files == [
        ".hidden", "000000000003.waiting", "000000000005.waiting", "000000000006.waiting", "note.txt",
      ])
  }

  @Test func `a mail that nothing says how to send is said and kept`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let report = MailReport(
      stream: "gone", configuration: "/gone.json", subject: "s", body: "b", messageID: "1@h",
      created: Timestamp(seconds: 1))
    try FileManager.default.createDirectory(atPath: shop.folder, withIntermediateDirectories: true)
    try Data(report.file).write(to: URL(filePath: "\(shop.folder)/000000000000.waiting"))
    let service = try shop.service(server)
    service.submit(subject: "s", body: "1", stream: "a", configuration: "mail.json")
    service.finish(within: .seconds(600))
    await service.run()
    #expect(try await server.mails(count: 1).count == 1)
    #expect(shop.files == ["000000000000.waiting"] && shop.lines.all == ["mail_unconfigured"])
  }

  @Test func `the folder is taken with the first configuration, and for one program alone`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let warnings = Lines()
    let service = MailService(
      MailConfigurations(),
      folder: { [folder = shop.folder] in
        SpoolFolder.take(folder, program: "bwmon") { warnings.append($0.text) }
      },
      host: "gate", now: { Timestamp(seconds: 1) },
      warn: { [lines = shop.lines] in lines.append($0.code) })
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "a", configuration: "mail.json")
    service.reload(shop.configurations(try shop.configuration(server)))
    service.submit(subject: "s", body: "2", stream: "a", configuration: "mail.json")
    #expect(try await server.mails(count: 1).first?.data.hasSuffix("\r\n\r\n2\r\n") == true)
    #expect(SpoolFolder.take(shop.folder, program: "bwmon") { warnings.append($0.text) } == nil)
    service.finish(within: .seconds(600))
    await end
    #expect(SpoolFolder.take(shop.folder, program: "bwmon") { warnings.append($0.text) } != nil)
    #expect(warnings.count == 1 && warnings.all[0].contains("another bwmon has it") && shop.lines.all.isEmpty)
  }

  @Test func `a clock that goes back changes neither order nor number`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    var away = try shop.configuration(server)
    away.server = "127.0.0.2"
    for (seconds, body) in [(Int64(2_000_000_000), "1"), (-5, "2")] {
      var service = MailService(
        shop.configurations(away), folder: shop.taken(shop.folder), host: "gate",
        now: { Timestamp(seconds: seconds) }, warn: { _ in })
      service.pauses.first = .seconds(600)
      service.submit(subject: "s", body: body, stream: "net", configuration: "mail.json")
      service.finish(within: .seconds(600))
      await service.run()
    }
    let service = try shop.service(server)
    service.finish(within: .seconds(600))
    await service.run()
    let mails = try await server.mails(count: 1)
    #expect(mails.map { $0.data.hasSuffix("\r\n\r\n1\r\n2\r\n") } == [true] && shop.files.isEmpty)
  }
}
