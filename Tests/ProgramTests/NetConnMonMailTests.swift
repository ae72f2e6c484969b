import Foundation
import Glibc
import Lab
import Testing

/// What netconnmon mails, through a server of the test's own in the same network.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct NetConnMonMailTests {
  /// A network, a mail server in it, a configuration for that server, and a folder for reports.
  private struct Setting {
    let namespace: NetworkNamespace
    let server: TestServer
    let folder: ScratchFolder

    var spool: String { "\(folder.path)/state/spool" }
    var configuration: String { "\(folder.path)/pySendMail/sendMailConfig.json" }

    init(_ words: [String] = ["starttls"]) async throws {
      namespace = try await NetworkNamespace()
      server = try await TestServer("mail_server", words, in: namespace)
      folder = try ScratchFolder()
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/pySendMail", withIntermediateDirectories: true)
    }

    /// Writes the configuration where pySendMail has it.
    func configure() throws {
      try folder.write(
        """
        {"mail": {"//": "a comment", "//": "another", "from": "gate@example.org", "to": "root@example.org",
          "smtp": {"server": "localhost", "port": \(server.port), "user": "", "password": "", "tls": false,
            "timeout": 0, "cafile": "\(server.certificate)"}}}
        """, to: "pySendMail/sendMailConfig.json")
    }

    /// Starts the program in the folder; the reference is port 7000.
    func start(_ arguments: [String] = []) throws -> ChildProcess {
      try namespace.start(
        [
          "sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", folder.path, Program.path("netconnmon"),
          "-a", "127.0.0.1", "-p", "7000", "-i", "0.02", "-m", "0", "--spool", spool,
        ] + arguments)
    }

    /// Ends `monitor`'s outage, which must have begun; returns the lines that it has written from the `start`-th on.
    func recover(_ monitor: ChildProcess, from start: Int = 0) async throws -> (ChildProcess, [String]) {
      try await lines(start + 1, of: monitor)
      let reference = try serve()
      return (reference, Array(try await lines(start + 2, of: monitor)[start...]))
    }

    /// The reference, which accepts.
    func serve() throws -> ChildProcess {
      try namespace.start([
        "python3", "-c",
        "import socket; s = socket.create_server(('127.0.0.1', 7000))\nwhile True: s.accept()",
      ])
    }

    @discardableResult
    func lines(_ count: Int, of monitor: ChildProcess) async throws -> [String] {
      try await eventually("\(count) lines", state: { monitor.output.text + monitor.errors.text }) {
        monitor.output.lines.count >= count ? monitor.output.lines : nil
      }
    }

    /// The reports that wait; what the next start is to know is no report.
    var waiting: [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []).filter { $0 != "program.state" }
    }

    /// Waits until the next start will know these lines.
    func isKept(_ lines: [String]) async throws {
      try await eventually("lines on the disk", state: { folder.read("state/spool/program.state") }) {
        lines.allSatisfy(folder.read("state/spool/program.state").contains) ? () : nil
      }
    }

    func nothingWaits() async throws {
      try await eventually("an empty folder", state: { "\(waiting)" }) { waiting.isEmpty ? () : nil }
    }
  }

  /// The text of a mail.
  private static func text(_ mail: ReceivedMail) -> [String] {
    mail.data.components(separatedBy: "\r\n\r\n").dropFirst().joined()
      .components(separatedBy: "\r\n").filter { !$0.isEmpty }
  }

  @Test func `an outage is one mail with both lines`() async throws {
    let setting = try await Setting()
    try setting.configure()
    let monitor = try setting.start()
    let (reference, lines) = try await setting.recover(monitor)
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(mail.from == "gate@example.org" && mail.to == ["root@example.org"] && mail.tls)
    #expect(mail.field("Subject") == "pyNetConnMon")
    #expect(mail.field("Date") != nil && mail.field("Message-ID") != nil)
    #expect(Self.text(mail) == lines)
    try await setting.nothingWaits()
    // The next one is held back, and handed over at the end.
    try await reference.stop(SIGKILL)
    // It ends with what owns it, which would be another outage.
    let (again, later) = try await setting.recover(monitor, from: 2)
    #expect(try await monitor.stop() == .exited(0))
    try await again.stop(SIGKILL)
    let mails = try await setting.server.mails(count: 2)
    #expect(mails.count == 2 && Self.text(mails[1]) == later)
    #expect(setting.waiting.isEmpty && monitor.errors.text.isEmpty, "\(monitor.errors.text)")
  }

  @Test(arguments: [SIGTERM, SIGKILL])
  func `a server that is away, and a restart, lose no report and send none twice`(signal: Int32) async throws
  {
    let setting = try await Setting()
    try setting.configure()
    try await setting.namespace.nft(
      "table inet lab { chain in { type filter hook input priority 0; tcp dport \(setting.server.port) reject with tcp reset; }; }"
    )
    let first = try setting.start()
    let (reference, lines) = try await setting.recover(first)
    try await eventually("both lines in a file", state: { "\(setting.waiting)" }) {
      let file = setting.waiting.first.map { setting.folder.read("state/spool/\($0)") } ?? ""
      return lines.allSatisfy(file.contains) ? () : nil
    }
    try await first.errors.first("that it was not sent") { $0.contains("a mail was not sent") ? () : nil }
    #expect(try await first.stop(signal) == (signal == SIGKILL ? .signalled(SIGKILL) : .exited(0)))
    #expect(setting.waiting.count == 1)
    #expect(setting.server.reports("mail").isEmpty)
    try await setting.namespace.nft("delete table inet lab")
    let second = try setting.start()
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(Self.text(mail) == lines)
    try await setting.nothingWaits()
    #expect(try await second.stop() == .exited(0))
    #expect(setting.server.reports("mail").count == 1)
    #expect(second.output.text.isEmpty && second.errors.text.isEmpty, "\(second.errors.text)")
    try await reference.stop(SIGKILL)
  }

  /// The mail server is there all the time: what waits, waits for the end of the outage.
  @Test(arguments: [SIGTERM, SIGKILL])
  func `restarts within an outage lead to one mail with all lines`(signal: Int32) async throws {
    let setting = try await Setting()
    try setting.configure()
    let first = try setting.start()
    let began = try await setting.lines(1, of: first)
    try await setting.isKept(began)
    let ending = signal == SIGKILL ? ProcessStatus.signalled(SIGKILL) : .exited(0)
    #expect(try await first.stop(signal) == ending)
    // It has nothing to say: the outage goes on.
    let second = try setting.start()
    try await second.errors.first("that it goes on") { $0.contains("that outage goes on") ? () : nil }
    try await Self.catchesTermination(second)
    #expect(try await second.stop(signal) == ending)
    #expect(second.output.text.isEmpty && setting.server.reports("mail").isEmpty && setting.waiting.isEmpty)
    let third = try setting.start()
    let reference = try setting.serve()
    let ended = try await setting.lines(1, of: third)
    #expect(ended.first?.contains(" connectivity changed to True (downtime: ") == true, "\(ended)")
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(Self.text(mail) == began + ended)
    try await setting.nothingWaits()
    #expect(try await third.stop() == .exited(0))
    try await reference.stop(SIGKILL)
    #expect(setting.server.reports("mail").count == 1)
    #expect(third.output.lines == ended && third.errors.lines.count == 1, "\(third.errors.text)")
  }

  /// Waits until SIGTERM no longer ends a program by itself (SigCgt of proc(5)).
  private static func catchesTermination(_ child: ChildProcess) async throws {
    try await eventually("handlers of signals") {
      let status = (try? String(contentsOfFile: "/proc/\(child.pid)/status", encoding: .utf8)) ?? ""
      let caught = status.firstMatch(of: #/SigCgt:\s+([0-9a-f]+)/#).flatMap { UInt64($0.1, radix: 16) } ?? 0
      return caught >> UInt64(SIGTERM - 1) & 1 == 1 ? () : nil
    }
  }

  @Test func `lines that wait for their back-off survive SIGKILL, and the back-off as well`() async throws {
    let setting = try await Setting()
    try setting.configure()
    let flags = ["-bmin", "1h", "-bmax", "2h"]
    let first = try setting.start(flags)
    var (reference, _) = try await setting.recover(first)
    #expect(try await setting.server.mails(count: 1).count == 1)
    try await reference.stop(SIGKILL)
    var held: [String]
    (reference, held) = try await setting.recover(first, from: 2)
    try await setting.isKept(held)
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    let second = try setting.start(flags)
    try await reference.stop(SIGKILL)
    let (again, later) = try await setting.recover(second)
    try await setting.isKept(held + later)
    #expect(setting.server.reports("mail").count == 1)
    // The network is up: what waits goes now, as nobody knows of a next start.
    #expect(try await second.stop() == .exited(0))
    try await again.stop(SIGKILL)
    let mails = try await setting.server.mails(count: 2)
    #expect(mails.count == 2 && Self.text(mails[1]) == held + later)
    #expect(setting.waiting.isEmpty && second.errors.text.isEmpty, "\(second.errors.text)")
  }

  /// As if SIGKILL came when the report was on the disk, and what it tells was still in the state.
  @Test func `a crash between the report and the state tells nothing twice`() async throws {
    let setting = try await Setting()
    try setting.configure()
    try await setting.namespace.nft(
      "table inet lab { chain in { type filter hook input priority 0; tcp dport \(setting.server.port) reject with tcp reset; }; }"
    )
    let first = try setting.start()
    try await setting.isKept(try await setting.lines(1, of: first))
    let state = setting.folder.read("state/spool/program.state")
    let (reference, lines) = try await setting.recover(first)
    try await first.errors.first("that it was not sent") { $0.contains("a mail was not sent") ? () : nil }
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    try setting.folder.write(state, to: "state/spool/program.state")
    try await setting.namespace.nft("delete table inet lab")
    let second = try setting.start()
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(Self.text(mail) == lines)
    try await setting.nothingWaits()
    #expect(try await second.stop() == .exited(0))
    try await reference.stop(SIGKILL)
    #expect(setting.server.reports("mail").count == 1)
    #expect(second.output.text.isEmpty && second.errors.text.isEmpty, "\(second.errors.text)")
  }

  @Test func `a damaged file is put aside and said, and the program goes on`() async throws {
    let setting = try await Setting()
    try setting.configure()
    try FileManager.default.createDirectory(atPath: setting.spool, withIntermediateDirectories: true)
    try setting.folder.write("netconnmon 1\nsaved 1", to: "state/spool/program.state")
    let monitor = try setting.start()
    let (reference, lines) = try await setting.recover(monitor)
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(Self.text(mail) == lines)
    #expect(try await monitor.stop() == .exited(0))
    try await reference.stop(SIGKILL)
    #expect(setting.folder.read("state/spool/program.damaged") == "netconnmon 1\nsaved 1")
    #expect(monitor.errors.lines.count == 1)
    #expect(
      monitor.errors.text.contains("(it is damaged)")
        && monitor.errors.text.contains("program.damaged, and remove it."))
  }

  @Test func `a configuration that comes later is used after a reload, a wrong one is not`() async throws {
    let setting = try await Setting()
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
    #expect(mails.map(Self.text) == [lines])
  }

  @Test func `two programs do not share a folder`() async throws {
    let setting = try await Setting()
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
    let setting = try await Setting(words)
    try setting.configure()
    let program = try setting.start(["--test-mail", "--mail-config", setting.configuration])
    #expect(try await program.ended() == .exited(status))
    let text = status == 0 ? program.output.text : program.errors.text
    #expect(text.contains(said), "\(text)")
    if status == 0 {
      let mail = try #require(try await setting.server.mails(count: 1).first)
      #expect(Self.text(mail).first?.contains("this is a test of netconnmon") == true)
    }
  }

  @Test(arguments: [
    (["--test-mail"], "there is no pySendMail/sendMailConfig.json or /etc/bwmon/sendMailConfig.json"),
    (["--mail-config", "/nonexistent.json"], "/nonexistent.json: No such file or directory"),
    (["--mail-config", "/dev/null"], "/dev/null:1: "),
  ])
  func `what is wrong with the configuration is said`(arguments: [String], said: String) async throws {
    let setting = try await Setting()
    let program = try setting.start(arguments)
    #expect(try await program.ended() == .exited(78))
    #expect(program.errors.text.contains(said), "\(program.errors.text)")
  }
}
