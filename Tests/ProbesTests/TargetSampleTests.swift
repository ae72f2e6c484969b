import Foundation
import Probes
import Testing

/// `samples/connmonitor.conf` and the files that come with the original.
@Suite struct TargetSampleTests {
  private static let samples = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "samples")
  private static let sample = samples.appending(path: "connmonitor.conf")

  @Test func `runaggregator's sample explains each key`() throws {
    let text = try String(contentsOf: Self.samples.appending(path: "monitors.sample.cfg"), encoding: .utf8)
    for key in ProbePlan.keys { #expect(text.contains("\n# \(key) "), "\(key)") }
    for kind in ProbePlan.Kind.allCases { #expect(text.contains("\n# type=\(kind.rawValue)\n")) }
  }

  @Test func `the sample is valid and explains each option`() throws {
    let text = try String(contentsOf: Self.sample, encoding: .utf8)
    let list = try TargetList(name: "connmonitor.conf", bytes: text.utf8)
    #expect(
      shown(list.plans) == "localhost@\(list.plans[0].line) ping 500.0 10x41 trace 5000.0 30 scan 5000.0 json"
    )
    for option in TargetList.options {
      #expect(text.contains("\n# \(option) "), "\(option)")
    }
  }

  @Test func `each example in its comments is valid`() throws {
    let text = try String(contentsOf: Self.sample, encoding: .utf8)
    let examples = text.split(separator: "\n").filter { $0.hasPrefix("#   ") && $0.contains("=") }
    #expect(examples.count == 3)
    let lines = examples.map { $0.dropFirst(4) }.joined(separator: "\n")
    #expect(try TargetList(name: "f", bytes: lines.utf8).plans.count == examples.count)
  }
}
