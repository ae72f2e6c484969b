import Foundation
import Lab
import Notifications
import Testing

@testable import netconnmon

@Suite struct MailFileTests {
  private let scratch: ScratchFolder

  init() throws { scratch = try ScratchFolder() }

  private static let samples = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "samples").path

  private func text(to address: String) -> String {
    #"{"mail": {"from": "a@example.org", "to": "\#(address)", "smtp": {"server": "h"}}}"#
  }

  @Test func `the sample is one`() throws {
    let file = MailFile(named: "\(Self.samples)/sendMailConfig.sample.json")
    let configuration = try #require(try file.read { _ in })
    #expect(configuration.to == ["root@example.org", "noc@example.org"])
    #expect(configuration.server == "smtp.example.org" && configuration.port == 587)
    #expect(configuration.user == "bwmon" && configuration.needsTLS && configuration.verifies)
    #expect(configuration.authorities == nil && configuration.timeout == .seconds(30))
  }

  @Test func `the first of the usual files counts, and none is no mail`() throws {
    let places = ["\(scratch.path)/folder/first", "\(scratch.path)/second", "\(scratch.path)/third"]
    let file = MailFile(named: nil, places: places)
    #expect(try file.read { Issue.record("\($0)") } == nil)
    try scratch.write(text(to: "third@example.org"), to: "third")
    #expect(try file.read { Issue.record("\($0)") }?.to == ["third@example.org"])
    try scratch.write(text(to: "second@example.org"), to: "second")
    #expect(try file.read { Issue.record("\($0)") }?.to == ["second@example.org"])
    // Something that is no folder on the way is as good as nothing.
    try scratch.write("", to: "folder")
    #expect(try file.read { Issue.record("\($0)") }?.to == ["second@example.org"])
  }

  @Test func `a file that was named must be there, and every file must be good`() throws {
    #expect(throws: MailFile.Failure.self) {
      try MailFile(named: "\(scratch.path)/none").read { _ in }
    }
    try scratch.write("{}", to: "wrong")
    for named in ["\(scratch.path)/wrong", nil] {
      let failure = #expect(throws: MailFile.Failure.self) {
        try MailFile(named: named, places: ["\(scratch.path)/wrong"]).read { _ in }
      }
      #expect(failure?.description.hasPrefix("\(scratch.path)/wrong:1: ") == true)
    }
  }
}
