import Foundation
import INI
import Model
import Testing

@testable import Pipes

@Suite struct SamplesTests {
  private func sample(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: folder.appending(path: "samples/\(name)"), encoding: .utf8)
  }

  @Test func `the sample's pipe is a good one, and every key is explained`() throws {
    let text = try sample("monitors.sample.cfg")
    let lines = text.split(separator: "\n")
    let start = try #require(lines.firstIndex { $0.hasPrefix("# [Web through") })
    let section = lines[start...].map { $0.dropFirst(2) }.joined(separator: "\n")
    let file = try INIFile(name: "sample", bytes: Array(section.utf8))
    let pipe = try PipeConfiguration(section: try #require(file.sections.first))
    #expect(pipe.name == "pipe-8080:www.example.org:80")
    #expect(pipe.sentLimit?.kibibytesPerSecond == 100)
    #expect(pipe.bind?.isLoopback == true)
    #expect(pipe.warnings.isEmpty)
    for key in PipeConfiguration.keys { #expect(lines.contains { $0.hasPrefix("# \(key) ") }, "\(key)") }
  }

  @Test func `the service and its socket speak of one port`() throws {
    let service = try sample("runpipe.service").split(separator: "\n")
    let command = try #require(service.first { $0.hasPrefix("ExecStart=") }).split(separator: " ")
    #expect(command[0] == "ExecStart=/usr/local/bin/runpipe")
    let socket = try sample("runpipe.socket").split(separator: "\n")
    #expect(socket.contains("ListenStream=\(command[1])"))
  }
}
