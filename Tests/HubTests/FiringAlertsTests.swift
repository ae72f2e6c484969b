import Foundation
import Lab
import Model
import Notifications
import SystemRuntime
import Testing

@testable import runaggregator

/// What fires, as the next start finds it.
@Suite struct FiringAlertsTests {
  private let scratch: ScratchFolder
  private let lines = Lines()

  init() throws { scratch = try ScratchFolder() }

  private var folder: String { "\(scratch.path)/state/alerts" }

  private static let since = Timestamp(seconds: 1_764_430_000, nanoseconds: 123_456_789, utcOffset: 3600)

  private func usage(
    _ subject: String = "app", _ state: Alert.State = .firing, _ direction: Alert.Direction = .sent
  ) -> FiringAlert.Report {
    .usage(
      Alert(
        rule: "web", subject: subject, direction: direction, state: state, value: .bytesPerSecond(2048.5),
        threshold: .bytesPerSecond(1024), interval: .seconds(5), pids: [], since: Self.since,
        time: Timestamp(seconds: 1_764_430_009, utcOffset: -7200)))
  }

  private func probe(_ state: Alert.State = .repeated(count: 7)) -> FiringAlert.Report {
    .probe(
      ProbeAlert(
        rule: "net", target: ProbeTarget(name: "gw", address: IPAddress("2001:db8::1") ?? .anyV6),
        measure: .roundTrip, state: state, value: 12.25, threshold: 10, interval: .zero, since: Self.since,
        time: Timestamp(seconds: -5)))
  }

  private func file(_ path: String? = nil) -> FiringFile<FiringAlert> {
    FiringFile(in: path ?? folder, program: "bwmon", decode: FiringAlerts.alerts(in:)) { [lines] in
      lines.append("\($0.code) \($0.text)")
    }
  }

  /// What a next start finds after these were reported one after the other.
  private func found(after reports: [FiringAlert.Report]) async -> [FiringAlert] {
    do {
      let file = file()
      var alerts = FiringAlerts()
      for report in reports where alerts.take(report, notified: [.command, .webhook]) {
        file.save(alerts.content)
      }
      file.finish()
      await file.run()
    }
    return file().found
  }

  @Test func `what fires is found as it was last reported, with who was notified`() async {
    let reports = [
      usage(), usage("$(x); \n\"'`id` \\ \u{1b}[2J | \u{202e}é日本"),
      usage("app", .repeated(count: 3), .received), probe(),
    ]
    let alerts = await found(after: reports)
    #expect(Set(alerts) == Set(reports.map { FiringAlert($0, notified: [.command, .webhook]) }))
    #expect(alerts.count == 4 && lines.all.isEmpty)
    let facts = try? FileManager.default.attributesOfItem(atPath: "\(folder)/firing.json")
    #expect(facts?[.posixPermissions] as? Int == 0o600)
  }

  @Test func `a repetition takes the place of what it repeats, and an end leaves nothing`() async {
    let repeated = await found(after: [usage(), usage("app", .repeated(count: 2))])
    #expect(repeated.map(\.report.state) == [.repeated(count: 2)])
    let none = await found(after: [
      usage(), probe(), usage("app", .resolved(.gone)), probe(.resolved(.below)),
    ])
    #expect(none.isEmpty && !FileManager.default.fileExists(atPath: "\(folder)/firing.json"))
  }

  @Test func `only what changes the file is written`() {
    var alerts = FiringAlerts()
    let changes = [usage(), usage("app", .repeated(count: 2)), usage("app", .resolved(.below))].map {
      alerts.take($0, notified: [])
    }
    #expect(changes == [true, true, true])
    let unknown = alerts.take(usage("other", .resolved(.below)), notified: [])
    #expect(!unknown && alerts.file == nil)
  }

  @Test(arguments: [("a", FiringAlerts.most), (String(repeating: "\u{1}", count: 10_000), 17)])
  func `there is a bound, which is said`(name: String, most: Int) async throws {
    var alerts = FiringAlerts()
    for number in 0..<2000 where !alerts.isIncomplete {
      _ = alerts.take(usage("\(name) \(number)"), notified: [.mail])
    }
    let text = try #require(alerts.file)
    #expect(text.count <= JSONReader.mostBytes && alerts.isIncomplete)
    #expect(FiringAlerts.alerts(in: text)?.count == most)
    let file = file()
    file.save(alerts.content)
    file.finish()
    await file.run()
    #expect(lines.count == 1 && lines.all[0].hasPrefix("alerts_omitted"))
  }

  @Test func `a file that is cut or changed is one that cannot be read, or another one`() throws {
    var alerts = FiringAlerts()
    _ = alerts.take(usage(), notified: [.mail])
    _ = alerts.take(probe(), notified: [])
    let text = try #require(alerts.file)
    #expect(FiringAlerts.alerts(in: text)?.count == 2)
    for length in 0..<(text.count - 1) { #expect(FiringAlerts.alerts(in: Array(text.prefix(length))) == nil) }
    var random = SplitMix64(seed: 1)
    for _ in 0..<5000 {
      var other = text
      other[Int.random(in: other.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      _ = FiringAlerts.alerts(in: other)
    }
  }

  @Test(arguments: [
    "", "{", "[]", #"{"schema":2,"alerts":[]}"#, #"{"schema":1,"alerts":[{"kind":"usage"}]}"#, "\u{0}\u{0}",
  ])
  func `what cannot be read is said once and written again`(text: String) async throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: "\(folder)/firing.json"))
    #expect(file().found.isEmpty)
    #expect(lines.count == 1)
    #expect(lines.all.first?.hasPrefix("alerts_unreadable \(folder)/firing.json cannot be read") == true)
    let alerts = await found(after: [usage()])
    #expect(alerts.count == 1)
  }

  @Test func `without a folder, or with one that cannot be made, nothing is kept`() async throws {
    let none = FiringFile(in: nil, program: "bwmon", decode: FiringAlerts.alerts(in:)) { [lines] in
      lines.append($0.text)
    }
    none.save(FiringAlerts().content)
    none.finish()
    await none.run()
    #expect(none.found.isEmpty && lines.all.isEmpty)
    try Data().write(to: URL(filePath: "\(scratch.path)/state"))
    #expect(await found(after: [usage()]).isEmpty)
    #expect(lines.all.allSatisfy { $0.hasPrefix("alerts_unkept what fires cannot be kept in \(folder)") })
    #expect(!lines.all.isEmpty)
  }

  @Test func `the folder is for one program, and there is none while nothing fires`() async throws {
    #expect(file().found.isEmpty && !FileManager.default.fileExists(atPath: "\(scratch.path)/state"))
    let owner = try OwnFolder(folder)
    #expect(await found(after: [usage()]).isEmpty)
    #expect(lines.all.allSatisfy { $0.contains("another bwmon has it") } && lines.count == 2)
    withExtendedLifetime(owner) {}
  }

  @Test func `the folder is taken over when the one that had it has ended`() async throws {
    var owner: OwnFolder? = try OwnFolder(folder)
    let later = file()
    #expect(owner != nil && lines.count == 1)
    owner = nil
    var alerts = FiringAlerts()
    _ = alerts.take(usage(), notified: [])
    later.save(alerts.content)
    later.finish()
    await later.run()
    #expect(lines.count == 2 && lines.all.last?.contains("is kept in \(folder) again") == true)
    #expect(FileManager.default.fileExists(atPath: "\(folder)/firing.json"))
  }
}
