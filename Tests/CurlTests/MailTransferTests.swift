import Curl
import Lab
import Testing

/// Mails to a real server over the loopback, one behaviour each.
@Suite struct MailTransferTests {
  private let transfers: TransferThread

  init() throws { transfers = try TransferThread() }

  private func session(_ server: TestServer, host: String = "localhost") -> MailSession {
    var session = MailSession(
      host: host, port: server.port, from: "bwmon@example.org", recipients: ["root@example.org"],
      message: Array("Subject: x\r\n\r\ntext\r\n".utf8),
      limits: TransferLimits(connect: patience, whole: patience))
    session.answer = patience
    session.authorities = server.certificate
    return session
  }

  private func send(_ session: MailSession) async throws -> MailOutcome {
    guard case .mail(let outcome) = try await transfers.run(.mail(session)) else {
      return .permanent("cancelled")
    }
    return outcome
  }

  @Test(arguments: [MailSession.Security.implicit, .startTLS, .none])
  func `a mail arrives as the security asks`(security: MailSession.Security) async throws {
    let server = try await TestServer("mail_server", security == .implicit ? ["implicit"] : ["starttls"])
    var session = session(server)
    session.security = security
    session.recipients = ["a@example.org", "b@example.org"]
    #expect(try await send(session) == .sent(refused: []))
    let mail = try #require(try await server.mails(count: 1).first)
    #expect(mail.from == "bwmon@example.org" && mail.to == session.recipients)
    #expect(mail.tls == (security != .none) && mail.data == "Subject: x\r\n\r\ntext\r\n")
  }

  @Test func `dots are doubled on the way and nowhere else`() async throws {
    let server = try await TestServer("mail_server", ["starttls"])
    var session = session(server)
    let text = ".\r\n..\r\n.a\r\na.\r\n\r\n.\r\n"
    session.message = Array(text.utf8)
    #expect(try await send(session) == .sent(refused: []))
    let mail = try #require(try await server.mails(count: 1).first)
    #expect(mail.data == text && mail.raw == "..\r\n...\r\n..a\r\na.\r\n\r\n..\r\n.\r\n")
  }

  @Test func `a server without STARTTLS is told nothing`() async throws {
    let server = try await TestServer("mail_server", ["auth=PLAIN"])
    var session = session(server)
    session.login = .init(user: "u", password: "secret")
    guard case .permanent(let why) = try await send(session) else {
      Issue.record("a mail was sent in the clear")
      return
    }
    #expect(why.contains("does not offer STARTTLS") && !why.contains("secret"))
    _ = try await server.reports("end", count: 1)
    #expect(server.reports("mail").isEmpty && server.reports("auth").isEmpty)
    #expect(!server.reports("command").contains { $0.hasPrefix("MAIL") })
  }

  @Test(arguments: [["implicit"], ["starttls"]], [true, false])
  func `a certificate that nobody knows is refused unless that is allowed`(
    words: [String], isForOtherHost: Bool
  ) async throws {
    let server = try await TestServer("mail_server", words)
    var session = session(server, host: isForOtherHost ? "127.0.0.1" : "localhost")
    session.security = words == ["implicit"] ? .implicit : .startTLS
    if !isForOtherHost { session.authorities = nil }
    guard case .permanent(let why) = try await send(session) else {
      Issue.record("the certificate was taken")
      return
    }
    #expect(why.contains("valid certificate"), "\(why)")
    #expect(server.reports("mail").isEmpty)
    session.verifies = false
    #expect(try await send(session) == .sent(refused: []))
  }

  @Test(arguments: ["PLAIN", "LOGIN", "PLAIN LOGIN", "GSSAPI NTLM XOAUTH2 PLAIN"])
  func `a login is made as the server can`(mechanisms: String) async throws {
    let server = try await TestServer("mail_server", ["implicit", "auth=\(mechanisms)"])
    var session = session(server)
    session.security = .implicit
    session.login = .init(user: "user", password: "secret")
    #expect(try await send(session) == .sent(refused: []))
    let login = try #require(server.reports("auth").first)
    #expect(login.hasSuffix(" user secret") && server.reports("auth").count == 1)
  }

  @Test(arguments: [("535", false), ("454", true)])
  func `a refused login is final unless the server says so`(code: String, passes: Bool) async throws {
    let server = try await TestServer("mail_server", ["implicit", "auth=PLAIN", "refuse-auth=\(code)"])
    var session = session(server)
    session.security = .implicit
    session.login = .init(user: "user", password: "secret")
    switch try await send(session) {
    case .denied(let why): #expect(!passes && why.contains(code) && !why.contains("secret"))
    case .transient(let why, let mayHaveArrived):
      #expect(passes && !mayHaveArrived && why.contains(code) && !why.contains("secret"))
    case .sent, .refused, .permanent: Issue.record("it was sent, or refused alone, or will be tried again")
    }
  }

  @Test func `two of three recipients get it and the third is named`() async throws {
    let server = try await TestServer(
      "mail_server", ["starttls", "rcpt=b@example.org=550", "rcpt=d@example.org=450"])
    var session = session(server)
    session.recipients = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"]
    guard case .sent(let refused) = try await send(session) else {
      Issue.record("nobody got it")
      return
    }
    #expect(refused.map(\.address) == ["b@example.org", "d@example.org"])
    #expect(refused.map(\.mayBeTakenLater) == [false, true])
    #expect(refused[0].reply == #"550 5.1.1 <b@example.org> \e[31mno"#)
    #expect(try await server.mails(count: 1).first?.to == ["a@example.org", "c@example.org"])
  }

  @Test(arguments: [
    (["rcpt=root@example.org=550"], false), (["rcpt=root@example.org=451"], true), (["data=451"], true),
    (["data=554"], false), (["greeting=554"], false), (["greeting=421"], true),
  ])
  func `an answer of 4xx passes, one of 5xx does not`(words: [String], passes: Bool) async throws {
    let server = try await TestServer("mail_server", ["starttls"] + words)
    switch try await send(session(server)) {
    case .refused(let why, let later): #expect(later == passes && !words[0].hasPrefix("greeting"), "\(why)")
    case .denied(let why): #expect(!passes && words[0].hasPrefix("greeting"), "\(why)")
    case .transient(let why, let mayHaveArrived):
      #expect(passes && !mayHaveArrived && words[0].hasPrefix("greeting"), "\(why)")
    case .sent, .permanent: Issue.record("it was sent, or will be tried again")
    }
  }

  @Test func `a connection lost before the answer leaves it open whether the mail arrived`() async throws {
    let server = try await TestServer("mail_server", ["starttls", "dropx1"])
    guard case .transient(_, mayHaveArrived: true) = try await send(session(server)) else {
      Issue.record("it is not known")
      return
    }
    #expect(try await send(session(server)) == .sent(refused: []))
    #expect(try await server.mails(count: 2).map(\.answer) == ["drop", "250"])
  }

  @Test func `nobody listens`() async throws {
    let server = try await TestServer("mail_server")
    // The server is at 127.0.0.1 alone.
    let session = session(server, host: "127.0.0.2")
    guard case .transient(let why, mayHaveArrived: false) = try await send(session) else {
      Issue.record("somebody did")
      return
    }
    #expect(why.contains("connect"))
  }

  @Test(arguments: [
    ["silent-greeting"], ["silent=EHLO"], ["silent=STARTTLS"], ["silent-tls"], ["silent=AUTH", "auth=PLAIN"],
    ["silent=MAIL"], ["silent=RCPT"], ["silent-data"],
  ])
  func `a server that is silent at any step is given up and holds nothing up`(words: [String]) async throws {
    let silent = try await TestServer("mail_server", ["starttls"] + words)
    let server = try await TestServer("mail_server", ["starttls"])
    var slow = session(silent)
    // Long enough for the other mail, whatever this machine does meanwhile.
    slow.limits = TransferLimits(connect: .seconds(3), whole: .seconds(3))
    if words.contains("silent=AUTH") { slow.login = MailSession.Login(user: "u", password: "p") }
    async let end = send(slow)
    _ = try await silent.reports("session", count: 1)
    #expect(try await send(session(server)) == .sent(refused: []))
    guard case .transient(_, let mayHaveArrived) = try await end else {
      Issue.record("it was sent")
      return
    }
    #expect(mayHaveArrived == (words == ["silent-data"]))
  }

  @Test func `a server that does not answer QUIT holds nothing up`() async throws {
    let silent = try await TestServer("mail_server", ["starttls", "silent-quit"])
    // With an answer limit of minutes, waiting for QUIT would be as long.
    #expect(try await send(session(silent)) == .sent(refused: []))
    _ = try await silent.reports("end", count: 1)
    #expect(silent.reports("command").last == "QUIT")
    #expect(try await send(session(silent)) == .sent(refused: []))
  }

  /// Three thousand lines are more than sockets hold, so that they are under way; one is sent, and the answer waited for.
  @Test(arguments: [["silent-greeting"], ["silent-data"]], [1, 3000])
  func `a cancelled mail ends at once and holds no other up`(words: [String], lines: Int) async throws {
    let server = try await TestServer("mail_server", ["starttls"] + words)
    var session = session(server)
    session.message = Array(String(repeating: String(repeating: "x", count: 900) + "\r\n", count: lines).utf8)
    let another = try await TestServer("mail_server", ["starttls"])
    let outcome = try await withThrowingTaskGroup(of: TransferOutcome.self) { [session] group in
      group.addTask { try await transfers.run(.mail(session)) }
      _ = try await server.reports(words == ["silent-data"] ? "command DATA" : "session", count: 1)
      #expect(try await send(self.session(another)) == .sent(refused: []))
      group.cancelAll()
      return try await group.next()
    }
    #expect(outcome == .cancelled)
    #expect(server.reports("mail").isEmpty)
  }

  @Test func `what cannot be sent is refused`() throws {
    let limits = TransferLimits(connect: patience, whole: patience)
    let good = MailSession(
      host: "localhost", port: 25, from: "a@b", recipients: ["c@d"], message: [], limits: limits)
    var wrong: [MailSession] = []
    for host in ["", "a b", "a/b", "u@h", "h?x", "h\r\n"] {
      wrong.append(good)
      wrong[wrong.count - 1].host = host
    }
    for address in ["", "a b@c", "a@b>\r\nDATA", "a@é", "<a@b>", "a@b,c@d"] {
      wrong.append(good)
      wrong[wrong.count - 1].recipients = ["ok@ok", address]
      wrong.append(good)
      wrong[wrong.count - 1].from = address
    }
    wrong.append(good)
    wrong[wrong.count - 1].login = .init(user: "a\r\nb", password: "")
    wrong.append(good)
    wrong[wrong.count - 1].recipients = []
    for session in wrong {
      #expect(throws: CurlError.self) { try transfers.submit(.mail(session)) { _ in } }
    }
  }
}
