import Curl
import Foundation
import INI
import Lab
import Model
import Testing

@testable import Notifications

/// Mails and webhooks for the notifications of rules, to servers over the loopback.
@Suite struct HostDeliveryTests {
  private let transfers: TransferThread
  private let shop: Workshop

  init() throws {
    transfers = try TransferThread()
    shop = try Workshop()
  }

  /// What mails, and the delivery of the section `web` that uses it.
  private func mail(
    _ server: TestServer, ends: Bool = false, with change: (inout MailConfiguration) -> Void = { _ in }
  ) throws -> (service: MailService, delivery: MailDelivery) {
    let text = #"""
      {"mail": {"from": "bwmon@example.org", "to": "a@example.org,b@example.org", "smtp": {"server": "localhost",
       "port": \#(server.port), "cafile": "\#(server.certificate)"}}}
      """#
    var configuration = try MailConfiguration(name: "mail.json", bytes: Array(text.utf8))
    change(&configuration)
    let section = try #require(
      try INIFile(name: "x", bytes: Array("[web]\nmail_config=mail.json\non_resolve=\(ends)\n".utf8)).sections
        .first)
    let rule = try #require(try MailRule(section))
    var configurations = MailConfigurations()
    configurations.add(configuration, file: rule.path, section: rule.rule)
    let service = MailService(
      configurations, folder: { nil }, host: "gate",
      now: { Timestamp(seconds: 1_764_430_000) }, warn: { _ in })
    return (service, MailDelivery(rule, service: service))
  }

  private func webhook(_ url: String, ends: Bool = false) throws -> WebhookDelivery {
    let text = "[web]\nwebhook=\(url)\non_resolve=\(ends)\n"
    let section = try #require(try INIFile(name: "x", bytes: Array(text.utf8)).sections.first)
    return WebhookDelivery(
      try #require(try WebhookRule(section)), transfers: transfers, limit: patience)
  }

  @Test func `a notification is a mail, and what waits is one mail`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    let (service, delivery) = try mail(server, ends: true)
    #expect(delivery.deliversEnds && delivery.timeLimit == .zero)
    #expect(await delivery.attempt(sampleNotification()) == .succeeded)
    #expect(await delivery.attempt(sampleNotification(.goesOn)) == .succeeded)
    #expect(await delivery.attempt(sampleNotification(.ended(.over))) == .succeeded)
    async let end: Void = service.run()
    let first = try #require(try await server.mails(count: 2).first)
    #expect(first.field("Subject") == "bwmon: 2012-11-01 12:00:00: wget firing")
    #expect(first.data.contains("\r\n\r\n2012-11-01 12:00:00: wget firing\r\n\r\nBWMON_RULE: web\r\n"))
    service.finish(within: .seconds(600))
    await end
    let later = try await server.mails(count: 2).dropFirst().map(\.data).joined()
    #expect(later.contains("wget resolved") && later.contains("BWMON_REASON: over"))
    // The first is under way by then, so that the repetition is no part of it.
    #expect(later.contains("wget repeat"))
  }

  @Test func `an independent server and parser understand it`() async throws {
    let server = try await TestServer("aiosmtpd_server")
    let (service, delivery) = try mail(server) { ($0.user, $0.password) = ("user", "secret") }
    let subject = "größer " + String(repeating: "日本 ", count: 30)
    let line = "é" + String(repeating: "x", count: 2000)
    let notification = sampleNotification(
      subject: subject, facts: [.init("BWMON_SUBJECT", ".dot\n..\u{1b}")], line: line)
    #expect(await delivery.attempt(notification) == .succeeded)
    service.finish(within: .seconds(600))
    await service.run()
    let mail = try #require(try await server.mails(count: 1).first)
    #expect(mail.tls && mail.to == ["a@example.org", "b@example.org"] && mail.answer == "0")
    #expect(mail.raw == "bwmon: " + line.shortened(to: 200))
    #expect(mail.data.replacing("\r\n", with: "\n") == "\(line)\n\nBWMON_SUBJECT: .dot\\n..\\e\n")
  }

  @Test func `a webhook gets the facts as JSON`() async throws {
    let server = try await TestServer("web_server")
    let delivery = try webhook("http://127.0.0.1:\(server.port)/hook?token=1")
    let notification = sampleNotification(subject: hostileText)
    #expect(await delivery.attempt(notification) == .succeeded)
    struct Request: Decodable {
      var method: String
      var path: String
      var body: String
    }
    let text = try #require(try await server.reports("request", count: 1).first)
    let request = try JSONDecoder().decode(Request.self, from: Data(text.utf8))
    #expect(request.method == "POST" && request.path == "/hook?token=1" && request.body == notification.json)
  }

  @Test(
    arguments: [
      (200, nil), (204, nil), (301, false), (400, false), (404, false), (408, true), (429, true), (500, true),
      (503, true),
    ] as [(Int, Bool?)])
  func `a webhook's status says whether it is notified again`(status: Int, passes: Bool?) async throws {
    let server = try await TestServer("web_server")
    let delivery = try webhook("http://127.0.0.1:\(server.port)/status/\(status)?token=geheim")
    switch await delivery.attempt(sampleNotification()) {
    case .succeeded: #expect(passes == nil)
    case .notTaken(let why): #expect(passes == true && why.contains("\(status)") && !why.contains("geheim"))
    case .failed(let why): #expect(passes == false && why.contains("\(status)") && !why.contains("geheim"))
    case let outcome: Issue.record("\(outcome)")
    }
  }

  @Test func `a rule has a command, a mail and a webhook, each with its own ends`() async throws {
    let smtp = try await TestServer("mail_server", ["starttls"])
    let web = try await TestServer("web_server")
    let warnings = Lines()
    let (service, delivery) = try mail(smtp)
    var notifier = Notifier(
      rules: [shop.rule(#"echo "$BWMON_STATE" >> "$0/log""#, onResolve: true)],
      others: [
        RuleDelivery(rule: "web", delivery: delivery),
        RuleDelivery(rule: "web", delivery: try webhook("http://127.0.0.1:\(web.port)/", ends: true)),
        RuleDelivery(rule: "other", delivery: try webhook("http://127.0.0.1:\(web.port)/")),
      ], line: LineDelivery { _ in }
    ) { warnings.append($0.text) }
    notifier.submit(sampleNotification())
    notifier.submit(sampleNotification(.ended(.over)))
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    service.finish(within: .seconds(600))
    await service.run()
    #expect(shop.lines("log") == ["firing", "resolved"])
    #expect(smtp.reports("mail").count == 1 && web.reports("request").count == 2)
    #expect(notifier.dropped == 0)
  }

  @Test func `a server that is away holds no place, is said once, and has a last chance at the end`()
    async throws
  {
    let server = try await TestServer("web_server")
    let warnings = Lines()
    // The server is at 127.0.0.1 alone.
    let away = try webhook("http://127.0.0.2:\(server.port)/")
    let rules = (0..<6).map { RuleDelivery(rule: "r\($0)", delivery: away) }
    let near = RuleDelivery(rule: "near", delivery: try webhook("http://127.0.0.1:\(server.port)/"))
    var notifier = Notifier(rules: [], others: rules + [near], line: LineDelivery { _ in }) {
      warnings.append($0.text)
    }
    for rule in 0..<6 { notifier.submit(sampleNotification(rule: "r\(rule)")) }
    let service = notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    try await wait { warnings.count == 6 }
    notifier.submit(sampleNotification(rule: "near"))
    _ = try await server.reports("request", count: 1)
    notifier.finish()
    await end
    #expect(warnings.all.filter { $0.hasPrefix("[r") }.count == 6)
  }

  @Test(arguments: [(1, 30), (2, 60), (7, 1920), (8, 3600), (9, 3600), (1000, 3600)] as [(Int, Int64)])
  func `what another host does not take has long pauses`(attempts: Int, seconds: Int64) {
    let pause = RetryPolicy.standard.pause(after: .notTaken("why"), attempts: attempts)
    #expect(pause == .seconds(seconds))
  }
}
