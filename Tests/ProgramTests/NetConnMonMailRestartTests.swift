import Foundation
import Glibc
import Lab
import Testing

/// Restarts, kills and a mail server that is away, over which netconnmon loses no line and tells none twice.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct NetConnMonMailRestartTests {
  /// Starts it once more, and waits until what was kept has been sent, once.
  private func expectOneMail(of lines: [String], _ setting: NetConnMonMailSetting) async throws {
    let second = try setting.start()
    let mail = try #require(try await setting.server.mails(count: 1).first)
    #expect(mail.textLines == lines)
    try await setting.nothingWaits()
    #expect(try await second.stop() == .exited(0))
    #expect(setting.server.reports("mail").count == 1)
    #expect(second.output.text.isEmpty && second.errors.text.isEmpty, "\(second.errors.text)")
  }

  @Test(arguments: [SIGTERM, SIGKILL])
  func `a server that is away, and a restart, lose no report and send none twice`(signal: Int32) async throws
  {
    let setting = try await NetConnMonMailSetting()
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
    try await expectOneMail(of: lines, setting)
    try await reference.stop(SIGKILL)
  }

  /// The mail server is there all the time: what waits, waits for the end of the outage.
  @Test(arguments: [SIGTERM, SIGKILL])
  func `restarts within an outage lead to one mail with all lines`(signal: Int32) async throws {
    let setting = try await NetConnMonMailSetting()
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
    #expect(mail.textLines == began + ended)
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
    let setting = try await NetConnMonMailSetting()
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
    #expect(mails.count == 2 && mails[1].textLines == held + later)
    #expect(setting.waiting.isEmpty && second.errors.text.isEmpty, "\(second.errors.text)")
  }

  /// As if SIGKILL came when the report was on the disk, and what it tells was still in the state.
  @Test func `a crash between the report and the state tells nothing twice`() async throws {
    let setting = try await NetConnMonMailSetting()
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
    try await expectOneMail(of: lines, setting)
    try await reference.stop(SIGKILL)
  }
}
