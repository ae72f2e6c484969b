import Curl
import Foundation
import INI
import Lab
import Model
import Synchronization
import SystemRuntime
import Testing

@testable import Notifications

/// Webhooks that wait on the disk, over restarts and SIGKILL.
@Suite struct WebhookSpoolTests {
  /// A web server in a value: what was delivered to it, and what it answers, the last for ever.
  private final class Server: Delivery {
    private let state: Mutex<(answers: [DeliveryOutcome], delivered: [String])>

    init(_ answers: DeliveryOutcome...) { state = Mutex((answers, [])) }

    var kind: DeliveryKind { .webhook }
    var deliversEnds: Bool { true }
    var timeLimit: Duration { .seconds(1) }
    var delivered: [String] { state.withLock { $0.delivered } }

    func attempt(_ notification: Model.Notification) async -> DeliveryOutcome {
      state.withLock { state in
        state.delivered.append(notification.line)
        return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
      }
    }
  }

  private static let away = DeliveryOutcome.notTaken("it is away.")

  /// A run of the program, which ends or is left as by SIGKILL.
  private struct Run {
    var notifier: Notifier
    let warnings = Lines()

    init(_ servers: [String: any Delivery], _ spool: WebhookSpool?) {
      let lines = warnings
      notifier = Notifier(
        rules: [], others: servers.map { RuleDelivery(rule: $0.key, delivery: $0.value) },
        line: LineDelivery { _ in }, spool: spool
      ) {
        if $0.code != "notifications_awaited" { lines.append("\($0.code) \($0.text)") }
      }
    }

    func end() async {
      notifier.finish()
      await notifier.service.run(drainTime: .seconds(600))
    }
  }

  private let scratch: ScratchFolder
  /// The folder, which two runs of one test share as if the first had been killed.
  private let own: OwnFolder

  init() throws {
    scratch = try ScratchFolder()
    own = try OwnFolder("\(scratch.path)/webhooks")
  }

  /// The folder at a time in seconds.
  private func spool(at seconds: Int64 = 1_764_430_000) -> WebhookSpool {
    WebhookSpool(folder: { [own] in own }, now: { Timestamp(seconds: seconds) })
  }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: own.path)) ?? []).sorted()
  }

  /// After how many attempts each file was written.
  private var attempts: [Int] {
    files.compactMap { WaitingNotification(file: Array(scratch.read("webhooks/\($0)").utf8))?.attempts }
  }

  private func wrote(_ lines: [String], to server: any Delivery, at seconds: Int64 = 1_764_430_000) async {
    var run = Run(["web": server], spool(at: seconds))
    for (index, line) in lines.enumerated() {
      run.notifier.submit(sampleNotification(since: Int64(index), line: line))
    }
    await run.end()
  }

  @Test func `what is taken leaves no file, and a restart tells nothing again`() async {
    let server = Server(.succeeded)
    await wrote(["1", "2"], to: server)
    #expect(server.delivered == ["1", "2"] && files.isEmpty)
    await wrote([], to: server)
    #expect(server.delivered.count == 2)
  }

  @Test func `what fails waits at the end, with all that comes after it, and then goes on in order`() async {
    let server = Server(Self.away)
    await wrote(["1", "2", "3"], to: server)
    #expect(server.delivered == ["1"] && attempts == [1, 0, 0])
    #expect(files == (0..<3).map { "00000000000\($0).waiting" })
    // The pause is over by then, and what is new comes last.
    let well = Server(.succeeded)
    var run = Run(["web": well], spool(at: 1_764_430_030))
    run.notifier.submit(sampleNotification(since: 9, line: "4"))
    let service = run.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    try? await wait { well.delivered.count == 4 }
    run.notifier.finish()
    await end
    #expect(well.delivered == ["1", "2", "3", "4"] && files.isEmpty && run.warnings.all.isEmpty)
  }

  @Test(
    arguments: [
      // Seconds of the clock since the attempt; whether it is tried.
      (0, false), (29, false), (30, true), (-1_000_000, false), (1_000_000_000, true),
    ] as [(Int64, Bool)])
  func `the pause goes on over a restart, and a clock that is set makes it no longer`(
    passed: Int64, isTried: Bool
  ) async throws {
    await wrote(["1"], to: Server(Self.away))
    let (server, other) = (Server(.succeeded), Server(.succeeded))
    var run = Run(["web": server, "other": other], spool(at: 1_764_430_000 + passed))
    let service = run.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    run.notifier.submit(sampleNotification(rule: "other"))
    // By then what is due has begun.
    try await wait { other.delivered.count == 1 && (!isTried || server.delivered.count == 1) }
    run.notifier.finish()
    await end
    #expect(server.delivered.count == (isTried ? 1 : 0))
    #expect(attempts == (isTried ? [] : [1]))
  }

  @Test func `a restart changes nothing in the number of attempts`() async {
    var time: Int64 = 1_764_430_000
    let server = Server(Self.away)
    await wrote(["1"], to: server, at: time)
    for count in 2...12 {
      time += 3600
      let run = Run(["web": server], spool(at: time))
      let service = run.notifier.service
      async let end: Void = service.run(drainTime: .seconds(600))
      try? await wait { attempts == [count] }
      run.notifier.finish()
      await end
    }
    // It is never given up.
    #expect(server.delivered.count == 12 && files.count == 1)
  }

  @Test func `SIGKILL loses nothing that is on the disk`() async throws {
    let server = Server(Self.away)
    var first = Run(["web": server], spool())
    let killed = first.notifier.service
    // It goes on for the rest of the test, in its pause.
    async let end: Void = killed.run(drainTime: .seconds(600))
    for count in Int64(0)..<3 {
      first.notifier.submit(sampleNotification(since: count, line: "\(count)"))
    }
    try await wait { attempts == [1, 0, 0] }
    let copy = try OwnFolder("\(scratch.path)/copy")
    for file in files {
      try FileManager.default.copyItem(atPath: "\(own.path)/\(file)", toPath: "\(copy.path)/\(file)")
    }
    let well = Server(.succeeded)
    let second = Run(
      ["web": well], WebhookSpool(folder: { copy }, now: { Timestamp(seconds: 1_764_440_000) }))
    let service = second.notifier.service
    async let secondEnd: Void = service.run(drainTime: .seconds(600))
    try await wait { well.delivered.count == 3 }
    second.notifier.finish()
    await secondEnd
    first.notifier.finish()
    await end
    #expect(well.delivered == ["0", "1", "2"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: copy.path).isEmpty)
  }

  @Test func `what no section wants any more is dropped and said`() async {
    await wrote(["1", "2"], to: Server(Self.away))
    let run = Run(["other": Server(.succeeded)], spool())
    await run.end()
    #expect(files.isEmpty && run.warnings.count == 2)
    #expect(run.warnings.all.first?.hasPrefix("notification_dropped [web]: `1` was not delivered") == true)
  }

  @Test func `what is refused for good leaves no file`() async {
    await wrote(["1"], to: Server(.failed("no.")))
    #expect(files.isEmpty)
  }

  @Test func `what the queue drops leaves no file, and its text has a bound`() async throws {
    let server = Server(Self.away)
    var run = Run(["web": server], spool())
    let text = String(repeating: "x", count: 30_000)
    let service = run.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    for count in Int64(0)..<200 {
      run.notifier.submit(
        sampleNotification(since: count, facts: [.init("BWMON_SUBJECT", text)], line: "\(count)"))
    }
    try await wait { run.notifier.dropped > 0 && attempts.contains(1) }
    run.notifier.finish()
    await end
    // The first is the one that was tried.
    let size = files.reduce(0) { $0 + scratch.read("webhooks/\($1)").utf8.count }
    #expect(size < DeliveryService.mostBytes + 100_000 && files.count + Int(run.notifier.dropped) == 200)
    #expect(files.last == "000000000199.waiting")
  }

  @Test func `without a folder there is a last attempt, as before`() async {
    let server = Server(Self.away, Self.away, .succeeded)
    var run = Run(["web": server], WebhookSpool(folder: { nil }, now: { Timestamp(seconds: 0) }))
    run.notifier.submit(sampleNotification(line: "1"))
    let service = run.notifier.service
    async let end: Void = service.run(drainTime: .seconds(600))
    try? await wait { server.delivered.count == 1 }
    run.notifier.finish()
    await end
    #expect(server.delivered == ["1", "1"])
  }

  @Test func `a file is this user's alone, and has no URL`() async throws {
    let transfers = try TransferThread()
    let section = try #require(
      try INIFile(name: "x", bytes: Array("[web]\nwebhook=http://127.0.0.1:1/geheim?t=s3cret\n".utf8))
        .sections
        .first)
    let rule = try #require(try WebhookRule(section))
    await wrote(["1"], to: WebhookDelivery(rule, transfers: transfers))
    #expect(files.count == 1)
    for file in files {
      let facts = try FileManager.default.attributesOfItem(atPath: "\(own.path)/\(file)")
      #expect(facts[.posixPermissions] as? Int == 0o600)
      let text = scratch.read("webhooks/\(file)")
      #expect(!text.contains("geheim") && !text.contains("s3cret"))
    }
  }

  @Test func `a notification is read as it was written, and nothing else is`() throws {
    for stage in [Model.Notification.Stage.began, .goesOn, .ended(.over), .ended(.ruleRemoved), .single] {
      let waiting = WaitingNotification(
        notification: sampleNotification(stage, subject: hostileText), attempts: 3,
        written: Timestamp(seconds: 7, nanoseconds: 8, utcOffset: 9))
      #expect(WaitingNotification(file: waiting.file) == waiting)
      for length in 0..<(waiting.file.count - 1) {
        #expect(WaitingNotification(file: Array(waiting.file.prefix(length))) == nil)
      }
    }
    #expect(WaitingNotification(file: Array(#"{"schema":2}"#.utf8)) == nil)
  }
}
