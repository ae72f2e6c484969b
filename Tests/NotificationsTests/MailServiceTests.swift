import Foundation
import Lab
import Model
import Testing

@testable import Notifications

/// What reaches a mail server, once and in order, also when the server refuses, is away or says nothing.
@Suite struct MailServiceTests {
  private let shop: MailWorkshop

  init() throws { shop = try MailWorkshop() }

  @Test func `a report is one mail, and its file goes`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let service = try shop.service(server)
    async let end: Void = service.run()
    service.submit(subject: "connectivity é", body: "one\n.two\n", stream: "net", configuration: "mail.json")
    let mail = try #require(try await server.mails(count: 1).first)
    #expect(mail.field("Subject") == "=?utf-8?B?Y29ubmVjdGl2aXR5IMOp?=")
    #expect(mail.field("Date") == "Sat, 29 Nov 2025 16:26:40 +0100")
    #expect(mail.field("Message-ID")?.hasSuffix("@gate>") == true)
    #expect(mail.data.hasSuffix("\r\n\r\none\r\n.two\r\n"))
    try await wait { shop.files.isEmpty }
    service.finish(within: .seconds(600))
    await end
    #expect(shop.lines.all.isEmpty && server.reports("mail").count == 1)
  }

  @Test func `451 and then 250 are one mail with one identifier`() async throws {
    let server = try await TestServer("mail_server", ["starttls", "data=451x2"])
    let service = try shop.service(server)
    async let end: Void = service.run()
    service.submit(subject: "s", body: "b", stream: "net", configuration: "mail.json")
    let mails = try await server.mails(count: 3)
    #expect(mails.map(\.answer) == ["451", "451", "250"])
    #expect(Set(mails.map { $0.field("Message-ID") }).count == 1)
    service.finish(within: .seconds(600))
    await end
    #expect(shop.lines.all == ["mail_failed", "mail_failed"], "\(shop.lines.all)")
    #expect(shop.files.isEmpty)
  }

  @Test func `a lost answer is another attempt with the same identifier, also after a restart`() async throws
  {
    let server = try await TestServer("mail_server", ["starttls", "dropx1"])
    let first = try shop.service(server, pause: .seconds(600))
    async let end: Void = first.run()
    first.submit(subject: "s", body: "b", stream: "net", configuration: "mail.json")
    try await wait { shop.lines.all == ["mail_failed"] }
    #expect(shop.files == ["000000000000.sending"])
    let later = MailReport(
      stream: "net", subject: "s", body: "c", messageID: "later@gate", created: Timestamp(seconds: 2))
    try Data(later.file).write(to: URL(filePath: "\(shop.folder)/000000000001.waiting"))
    // As after SIGKILL: the first service does nothing more.
    let second = try shop.service(server)
    async let secondEnd: Void = second.run()
    let mails = try await server.mails(count: 3)
    #expect(mails.map(\.answer) == ["drop", "250", "250"])
    #expect(mails[0].field("Message-ID") == mails[1].field("Message-ID"))
    #expect(mails[1].data.hasSuffix("\r\n\r\nb\r\n") && mails[2].data.hasSuffix("\r\n\r\nc\r\n"))
    second.finish(within: .seconds(600))
    await secondEnd
    #expect(shop.files.isEmpty)
    first.finish(within: .zero)
    await end
  }

  @Test func `all that happened while the server was away is one mail`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    var away = try shop.configuration(server)
    // The server is at 127.0.0.1 alone.
    away.server = "127.0.0.2"
    let time: @Sendable () -> Timestamp = { Timestamp(seconds: 1_764_430_000) }
    for lines in [["1 down", "1 up"], ["2 down", "2 up"]] {
      var service = MailService(
        shop.configurations(away), folder: shop.taken(shop.folder), host: "gate", now: time, warn: { _ in })
      service.pauses.first = .seconds(600)
      for line in lines {
        service.submit(subject: "net", body: line, stream: "net", configuration: "mail.json")
      }
      service.finish(within: .seconds(600))
      await service.run()
      #expect(!shop.files.isEmpty && shop.files.allSatisfy { $0.hasSuffix(".waiting") })
    }
    let service = try shop.service(server, hours: 1)
    service.finish(within: .seconds(600))
    await service.run()
    let mails = try await server.mails(count: 1)
    #expect(mails.count == 1 && mails[0].data.hasSuffix("\r\n\r\n1 down\r\n1 up\r\n2 down\r\n2 up\r\n"))
    // When it is sent: the lines have their own times.
    #expect(mails[0].field("Date") == "Sat, 29 Nov 2025 17:26:40 +0100")
    #expect(shop.files.isEmpty)
  }

  @Test func `a refused login is one error and no other attempt until a reload`() async throws {
    let server = try await TestServer("mail_server", ["starttls", "auth=PLAIN", "refuse-auth=535"])
    let good = try await TestServer("mail_server", ["starttls"])
    var wrong = try shop.configuration(server)
    (wrong.user, wrong.password) = ("user", "secret")
    let warnings = Lines()
    let service = MailService(
      shop.configurations(wrong), folder: shop.taken(shop.folder), host: "gate",
      now: { Timestamp(seconds: 1_764_430_000) }, warn: { warnings.append($0.text) })
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    try await wait { warnings.count == 1 }
    service.submit(subject: "s", body: "2", stream: "net", configuration: "mail.json")
    service.reload(shop.configurations(try shop.configuration(good)))
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
    var wrong = try shop.configuration(server)
    (wrong.user, wrong.password) = ("user", "secret")
    let first = MailService(
      shop.configurations(wrong), folder: shop.taken(shop.folder), host: "gate",
      now: { Timestamp(seconds: 1_764_430_000) }, warn: { [lines = shop.lines] in lines.append($0.code) })
    async let end: Void = first.run()
    first.submit(subject: "s", body: "1", stream: "net", configuration: "mail.json")
    try await wait { shop.lines.count == 1 }
    first.submit(subject: "s", body: "2", stream: "net", configuration: "mail.json")
    first.finish(within: .seconds(600))
    await end
    #expect(server.reports("auth").count == 1 && shop.lines.all == ["mail_failed"])
    let good = try await TestServer("mail_server", ["starttls"])
    let second = try shop.service(good)
    second.finish(within: .seconds(600))
    await second.run()
    #expect(try await good.mails(count: 1).first?.data.hasSuffix("\r\n\r\n1\r\n2\r\n") == true)
    #expect(shop.files.isEmpty && good.reports("mail").count == 1)
  }

  @Test func `a mail that is refused for good stops no other, also after a restart`() async throws {
    let server = try await TestServer("mail_server", ["starttls", "refuse-text=poison=554"])
    let first = try shop.service(server)
    async let end: Void = first.run()
    first.submit(subject: "s", body: "poison", stream: "net", configuration: "mail.json")
    try await wait { shop.lines.all == ["mail_failed"] }
    first.submit(subject: "s", body: "good", stream: "net", configuration: "mail.json")
    try await wait { server.reports("mail").count == 2 && shop.files == ["000000000000.sending"] }
    first.finish(within: .seconds(600))
    await end
    let second = try shop.service(server)
    second.submit(subject: "s", body: "better", stream: "net", configuration: "mail.json")
    second.finish(within: .seconds(600))
    await second.run()
    let mails = try await server.mails(count: 1)
    let (taken, refused) = (mails.filter { $0.answer == "250" }, mails.filter { $0.answer == "554" })
    #expect(taken.map { $0.data.contains("\r\n\r\ngood\r\n") } == [true, false] && taken.count == 2)
    #expect(
      taken.last?.data.hasSuffix("\r\n\r\nbetter\r\n") == true && shop.files == ["000000000000.sending"])
    // Once for each start.
    #expect(refused.count == 2 && Set(refused.map { $0.field("Message-ID") }).count == 1)
  }

  @Test func `each mail goes to its own server, and one that is silent holds up no other`() async throws {
    let silent = try await TestServer("mail_server", ["silent-greeting"])
    let server = try await TestServer("mail_server", ["starttls"])
    var both = MailConfigurations()
    both.add(try shop.configuration(silent), file: "silent", section: "a")
    both.add(try shop.configuration(server), file: "good", section: "b")
    let service = MailService(
      both, folder: shop.taken(shop.folder), host: "gate",
      now: { Timestamp(seconds: 1_764_430_000) }, warn: { [lines = shop.lines] in lines.append($0.code) })
    async let end: Void = service.run()
    service.submit(subject: "s", body: "1", stream: "a", configuration: "silent")
    _ = try await silent.reports("session", count: 1)
    service.submit(subject: "s", body: "2", stream: "b", configuration: "good")
    #expect(try await server.mails(count: 1).first?.data.hasSuffix("\r\n\r\n2\r\n") == true)
    try await wait { shop.files.count == 1 }
    service.finish(within: .zero)
    await end
    // The next start has another file for the section.
    let next = try shop.service(server)
    next.finish(within: .seconds(600))
    await next.run()
    #expect(try await server.mails(count: 2).last?.data.hasSuffix("\r\n\r\n1\r\n") == true)
    #expect(shop.files.isEmpty && shop.lines.all.isEmpty)
  }

  @Test func `a server that takes a mail and stays silent holds up no other, and not the end`() async throws {
    let silent = try await TestServer("mail_server", ["starttls", "silent-data"])
    let server = try await TestServer("mail_server", ["starttls"])
    var both = MailConfigurations()
    both.add(try shop.configuration(silent), file: "silent", section: "a")
    both.add(try shop.configuration(server), file: "good", section: "b")
    let service = MailService(
      both, folder: shop.taken(shop.folder), host: "gate", now: { Timestamp(seconds: 1_764_430_000) },
      warn: { [lines = shop.lines] in lines.append($0.code) })
    let ended = Lines()
    async let end: Void = {
      await service.run()
      ended.append("ended")
    }()
    service.submit(subject: "s", body: "1", stream: "a", configuration: "silent")
    _ = try await silent.reports("command DATA", count: 1)
    service.submit(subject: "s", body: "2", stream: "b", configuration: "good")
    #expect(try await server.mails(count: 1).count == 1)
    try await wait { shop.files == ["000000000000.sending"] }
    service.finish(within: .milliseconds(1))
    // libcurl looks each second; the server would be waited for for longer than this waits.
    try await wait { !ended.all.isEmpty }
    await end
    #expect(shop.files == ["000000000000.sending"] && shop.lines.all.isEmpty)
  }

  @Test func `too many that nobody looks at are refused`() async throws {
    let server = try await TestServer("mail_server")
    let service = try shop.service(server)
    for _ in 0..<MailService.capacity {
      #expect(service.submit(subject: "s", body: "b", stream: "a", configuration: "mail.json"))
    }
    #expect(!service.submit(subject: "s", body: "b", stream: "a", configuration: "mail.json"))
  }
}
