import Foundation
import Lab
import Testing

/// The pages of the manual in Docs/man: what is written there is what the programs say.
///
/// `make man` writes them again.
@Suite(.serialized) struct ManualTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let folder = root.appending(path: "Docs/man")
  private static let programs = [
    "runmonitor", "runpipe", "runaggregator", "connvitals", "connmonitor", "netconnmon", "tstat_send",
    "tstat_cull",
  ]

  @Test(arguments: programs)
  func `the page is what the program says`(program: String) async throws {
    let page = try await Manual(of: program, among: Self.programs, root: Self.root)
    let file = Self.folder.appending(path: "\(program).1")
    if ProcessInfo.processInfo.environment["BWMON_REGENERATE"] == "1" {
      try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
      try Data(page.text.utf8).write(to: file)
    }
    let recorded = try? String(contentsOf: file, encoding: .utf8)
    #expect(page.text == recorded, "run `make man` if this change is wanted")
    // connvitals reads no file.
    let empty = page.sections.filter { $0.lines.isEmpty }.map(\.title)
    #expect(empty == (program == "connvitals" ? ["FILES"] : []))
  }

  @Test(arguments: programs)
  func `the page is well formed`(program: String) async throws {
    let file = Self.folder.appending(path: "\(program).1").path
    // What groff warns of goes to standard error, what mandoc does to standard output.
    let said = try await run(
      ["sh", "-c", "groff -man -ww -Tutf8 -z \"$1\" 2>&1; mandoc -Tlint -Wwarning \"$1\"", "sh", file])
    #expect(said.isEmpty, "\(said)")
  }

  @Test func `every flag that the help shows is on its page`() async throws {
    for program in Self.programs {
      let help = try await run([Program.path(program), "--help"])
      let page = try String(contentsOf: Self.folder.appending(path: "\(program).1"), encoding: .utf8)
        .replacing("\\-", with: "-")
      for flag in Set(help.matches(of: #/--[a-z][a-z-]+/#).map { String($0.0) }) {
        #expect(page.contains(flag), "\(program) \(flag)")
      }
    }
  }

  @Test func `every sample is on a page`() throws {
    let pages = try Self.programs.map {
      try String(contentsOf: Self.folder.appending(path: "\($0).1"), encoding: .utf8).replacing(
        "\\-", with: "-")
    }.joined()
    for sample in try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appending(path: "samples").path)
    {
      #expect(pages.contains("samples/\(sample)"), "\(sample)")
    }
  }
}
