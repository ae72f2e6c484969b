import Foundation
import Lab
import Testing

/// The files of `samples/`, read by the program itself.
@Suite struct AggregatorSamplesTests {
  private static let program = Program.path("runaggregator")

  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private func text(_ name: String, in folder: String = "samples") throws -> String {
    try String(contentsOf: Self.root.appending(path: "\(folder)/\(name)"), encoding: .utf8)
  }

  @Test(arguments: [
    ("--app-config", "group.sample.cfg"), ("--monitor-config", "monitors.sample.cfg"),
    ("--notification-config", "notifications.sample.cfg"), ("--publish-config", "publish.sample.cfg"),
  ])
  func `a sample is valid and warns of nothing, its commented examples too`(
    flag: String, name: String
  ) async throws {
    let folder = try ScratchFolder()
    let sample = try text(name)
    for text in [sample, uncommented(sample)] {
      let file = try folder.write(text, to: name)
      let child = try ChildProcess([Self.program, flag, file, "--check-config"])
      #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
      // mail(1) is not on every machine.
      #expect(
        child.errors.lines.allSatisfy { $0.contains("`mail` is not found in PATH") }, "\(child.errors.text)")
    }
  }

  @Test func `the monitors sample has an example in a comment, and it is looked at`() throws {
    let sample = try text("monitors.sample.cfg")
    #expect(!sample.contains("\n[Web only]\n"))
    #expect(uncommented(sample).contains("\n[Web only]\ntype=monitor\n"))
  }

  @Test func `the manual's example of --explain is what the program says of the sample`() async throws {
    let manual = try text("operations.md", in: "Docs").split(separator: "\n").map(String.init)
    let place = try #require(
      manual.firstIndex { $0.hasPrefix("$ runaggregator ") && $0.contains("--explain") })
    let arguments = manual[place].dropFirst("$ runaggregator ".count)
    let said = try await run(["sh", "-c", "cd '\(Self.root.path)' && \(Self.program) \(arguments)"])
    #expect(said == manual[place + 1] + "\n")
  }

  /// The text with each example, a run of comment lines that starts with a section's, taken out of its comment.
  private func uncommented(_ text: String) -> String {
    var isExample = false
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      if line.hasPrefix("# [") && line.hasSuffix("]") { isExample = true }
      if !line.hasPrefix("# ") { isExample = false }
      return String(isExample ? line.dropFirst(2) : line)
    }.joined(separator: "\n")
  }
}
