import Foundation
import Lab
import Testing

/// `--help` of each program, word for word: a change of flags is seen in review.
///
/// `BWMON_REGENERATE=1 swift test --filter HelpTests` writes the files again.
@Suite struct HelpTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

  @Test(arguments: [
    "runmonitor", "runpipe", "runaggregator", "connvitals", "connmonitor", "netconnmon", "tstat_send",
    "tstat_cull",
  ])
  func `the help text is the recorded one`(program: String) async throws {
    let text = try await run([Program.path(program), "--help"])
    let file = Self.folder.appending(path: "\(program).help")
    if ProcessInfo.processInfo.environment["BWMON_REGENERATE"] == "1" {
      try Data(text.utf8).write(to: file)
    }
    let recorded = try? String(contentsOf: file, encoding: .utf8)
    #expect(text == recorded, "run with BWMON_REGENERATE=1 if this change is wanted")
    #expect(text.contains("USAGE: \(program)"))
  }

  @Test(arguments: ["runmonitor", "runaggregator"])
  func `every flag of the contract is in the help`(program: String) async throws {
    let text = try await run([Program.path(program), "--help"])
    var flags = [
      "--interval", "--count", "--format", "--source", "--enable-tracking", "--keep-tracking", "--version",
      "--help", "--namespaces/--no-namespaces", "--doctor",
    ]
    flags +=
      program == "runmonitor"
      ? ["--include", "--exclude", "--bandwidth", "--no-lookback", "--ignore-local"]
      : [
        "--app-config", "--monitor-config", "--notification-config", "--publish-config", "--auto-group",
        "--inherit", "--explain",
        "--check-config",
      ]
    for flag in flags { #expect(text.contains(flag), "\(flag)") }
  }
}
