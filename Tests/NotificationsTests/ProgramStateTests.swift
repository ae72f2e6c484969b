import Foundation
import Lab
import Model
import SystemRuntime
import Testing

@testable import Notifications

/// What a program keeps beside its reports for its next start.
@Suite struct ProgramStateTests {
  private let scratch: ScratchFolder
  private let lines = Lines()
  /// Taken once: what comes after a service is a next start.
  private let folder: OwnFolder

  init() throws {
    scratch = try ScratchFolder()
    folder = try OwnFolder("\(scratch.path)/spool")
  }

  private var path: String { folder.path }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  /// A service without a server, whose attempts fail at once.
  private func service() throws -> MailService {
    let text =
      #"{"mail": {"from": "a@h", "to": "b@h", "smtp": {"server": "127.0.0.1", "port": 1, "tls": false}}}"#
    var configurations = MailConfigurations()
    configurations.add(
      try MailConfiguration(name: "m", bytes: Array(text.utf8)), file: "m", section: "net")
    return MailService(
      configurations, folder: { [folder] in folder }, host: "h", now: { Timestamp(seconds: 1) },
      warn: { [lines] in lines.append($0.code) })
  }

  private func state(limit: Int = .max) -> String? {
    SpoolFolder.state(
      in: folder, { $0.count <= limit ? String(decoding: $0, as: UTF8.self) : nil },
      warn: { [lines] in lines.append($0.text) })
  }

  @Test func `the last state is on the disk when the service has ended`() async throws {
    for expected in ["ab", "the last"] {
      let service = try service()
      #expect(service.keep(Array("ab".utf8)) && service.keep(Array("c".utf8)))
      service.finish(within: .seconds(600), state: Array(expected.utf8))
      await service.run()
      #expect(state() == expected && files == ["program.state"])
    }
    let last = try service()
    last.finish(within: .seconds(600), state: [])
    await last.run()
    #expect(state() == nil && files.isEmpty && lines.all.isEmpty)
  }

  @Test func `a report and the state after it are kept together`() async throws {
    let service = try service()
    #expect(service.keep(Array("line".utf8)))
    service.submit(subject: "s", body: "line", stream: "net", configuration: "m", state: Array("none".utf8))
    service.finish(within: .zero)
    await service.run()
    #expect(state() == "none" && SpoolFolder.texts(in: folder) == ["line"])
    #expect(files.count == 2, "\(files)")
  }

  @Test func `where a report cannot be written, the state still has what it tells`() async throws {
    // In place of the files that are written first.
    for name in ["waiting", "sending"] {
      try FileManager.default.createDirectory(
        atPath: "\(path)/000000000000.\(name).new", withIntermediateDirectories: true)
    }
    let service = try service()
    #expect(service.keep(Array("line".utf8)))
    service.submit(subject: "s", body: "line", stream: "net", configuration: "m", state: Array("none".utf8))
    // Nor at the end, which would fit.
    service.finish(within: .zero, state: Array("later".utf8))
    await service.run()
    #expect(state() == "line" && lines.all.first == "mail_spool_unusable" && lines.all.last == "mail_lost")
  }

  @Test func `as many as nobody writes down are taken, then none`() throws {
    let service = try service()
    for _ in 0..<MailService.stateCapacity { #expect(service.keep([1])) }
    #expect(!service.keep([1]))
  }

  @Test func `what cannot be read is put aside and said once`() throws {
    try Data("abcdef".utf8).write(to: URL(filePath: "\(path)/program.state"))
    #expect(state(limit: 3) == nil && files == ["program.damaged"])
    #expect(lines.count == 1 && lines.all[0].contains("look into \(path)/program.damaged, and remove it."))
    #expect(state(limit: 3) == nil && lines.count == 1)
    // It is no report, and not said to be one that is damaged.
    #expect(SpoolFolder.texts(in: folder).isEmpty)
    try Data(count: SpoolFolder.mostState + 1).write(to: URL(filePath: "\(path)/program.state"))
    #expect(state() == nil && lines.count == 2)
    try FileManager.default.createDirectory(
      atPath: "\(path)/program.state", withIntermediateDirectories: true)
    #expect(state() == nil && lines.count == 3)
  }

  @Test func `a state that cannot be written is said at the end`() async throws {
    let service = try service()
    try FileManager.default.createDirectory(
      atPath: "\(path)/program.state", withIntermediateDirectories: true)
    service.finish(within: .seconds(600), state: [1])
    await service.run()
    #expect(lines.all == ["mail_spool_unusable", "mail_lost"])
  }
}
