import Foundation
import Glibc
import Lab
import Testing

@testable import Tstat

/// tstat_cull as users meet it.
@Suite struct TstatCullTests {
  private let tree: LogTree
  private static let old = Duration.seconds(3600 * 100)

  init() throws { tree = try LogTree() }

  private struct Answer {
    var status: ProcessStatus
    var output: String
    var errors: String
  }

  private func cull(
    _ flags: [String] = [], wrapper: [String] = [], environment: [String: String] = [:]
  ) async throws -> Answer {
    let child = try ChildProcess(
      wrapper + [Lab.Program.path("tstat_cull"), "-d", tree.path] + flags, environment: environment)
    child.closeInput()
    let status = try await child.ended()
    return Answer(status: status, output: child.output.text, errors: child.errors.text)
  }

  /// The names that are left in the root.
  private func left() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: tree.path).sorted()
  }

  @Test func `what was sent long ago goes, and that is said as ever`() async throws {
    try tree.make("1.out", sent: Self.old)
    try tree.make("2.out", sent: .seconds(3600))
    try tree.make("3.out")
    let answer = try await cull()
    #expect(answer.status == .exited(0))
    #expect(try left() == ["2.out", "3.out"])
    let line = try #require(answer.errors.split(separator: "\n").first)
    #expect(answer.errors == "\(line)\n")
    #expect(
      line.wholeMatch(
        of: /ts=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} event=main\.run id=\d+ removing (.+)/)?.1
        == "\(tree.path)/1.out")
    let said = answer.output.split(separator: "\n")
    #expect(said.count == 2)
    let bytes = try #require(said.first?.wholeMatch(of: /(.+): (\d+) bytes freed/))
    #expect(bytes.1 == "\(tree.path)/1.out")
    #expect(said.last == "1 directory removed, \(bytes.2) bytes of disk blocks freed")
    let again = try await cull()
    #expect(again.status == .exited(0) && again.output.isEmpty && again.errors.isEmpty)
  }

  @Test func `a dry run removes nothing, and says so`() async throws {
    try tree.make("1.out", sent: Self.old)
    try tree.make("2.out", sent: Self.old)
    let before = try FileManager.default.subpathsOfDirectory(atPath: tree.path).sorted()
    for flags in [["-D"], ["--dry-run", "--max-bytes", "0", "--ttl", "0"]] {
      let answer = try await cull(flags)
      #expect(answer.status == .exited(0))
      let lines = answer.errors.split(separator: "\n").filter { $0.contains(" dry run, not removing ") }
      #expect(lines.count == 2)
      #expect(answer.output.contains("2 directories would be removed, "))
      #expect(try FileManager.default.subpathsOfDirectory(atPath: tree.path).sorted() == before)
    }
  }

  @Test func `the boundary is the hour of the mark`() async throws {
    try tree.make("1.out", sent: .seconds(5 * 3600))
    // Whatever this machine does meanwhile, the test is over in less than this.
    try tree.make("2.out", sent: .seconds(5 * 3600) - patience)
    try tree.make("3.out", sent: .seconds(-3600))
    let answer = try await cull(["-t", "5", "-v"])
    #expect(answer.status == .exited(0))
    #expect(try left() == ["2.out", "3.out"])
    #expect(answer.errors.contains("2.out stays: it was sent 4 hours and 57 minutes ago."))
    #expect(answer.errors.contains("3.out stays: it was marked 35"))
    #expect(try await cull(["--ttl", "0"]).status == .exited(0))
    #expect(try left() == ["3.out"])
    #expect(try await cull(["--ttl", "9223372036854775807"]).status == .exited(0))
  }

  @Test func `unmarked, unfinished and live ones stay, and --verbose says why`() async throws {
    try tree.make("1.out")
    try tree.make("2.out", sent: Self.old, extra: [".tstat_send"])
    try tree.make("3.out", changed: .seconds(60), sent: Self.old)
    let answer = try await cull(["--ttl", "0", "--max-bytes", "0", "-v"])
    #expect(answer.status == .exited(0))
    #expect(try left() == ["1.out", "2.out", "3.out"])
    for words in [
      "1.out stays: it is not marked", "2.out stays: only a part", "3.out stays: it is the newest",
    ] {
      #expect(answer.errors.contains(words), "\(answer.errors)")
    }
    #expect(answer.errors.contains("more than --max-bytes 0"))
    #expect(answer.output == "0 directories removed, 0 bytes of disk blocks freed\n")
  }

  @Test func `nothing outside the root is reached`() async throws {
    let outside = try LogTree()
    try outside.make("1.out", sent: Self.old)
    try outside.make("kept")
    try tree.link("1.out", to: "\(outside.path)/1.out")
    try tree.link("folder", to: outside.path)
    try tree.make("2.out", sent: Self.old)
    try tree.link("2.out/sub", to: "\(outside.path)/kept")
    let answer = try await cull(["--max-bytes", "0", "-v"])
    #expect(answer.status == .exited(0))
    #expect(try left() == ["1.out", "folder"])
    #expect(outside.exists("1.out/log_tcp_complete") && outside.exists("kept/log_tcp_complete"))
    #expect(answer.errors.contains("1.out is passed over: links are not followed."))
  }

  @Test func `beyond a size the oldest go, whatever their age`() async throws {
    for name in ["a/1.out", "b/2.out", "a/3.out", "b/4.out"] { try tree.make(name, sent: .seconds(10)) }
    try tree.make("a/2.out")
    let one = try DirectoryRemoval.bytes(of: tree.found()[0], in: tree.root)
    let answer = try await cull(["--max-bytes", "\(one * 3)"])
    #expect(answer.status == .exited(0))
    #expect(
      try tree.found().map { String($0.path.dropFirst(tree.path.count + 1)) } == [
        "a/2.out", "a/3.out", "b/4.out",
      ])
    let lines = answer.errors.split(separator: "\n")
    #expect(lines.map { $0.hasSuffix("/a/1.out") || $0.hasSuffix("/b/2.out") } == [true, true])
    #expect(try await cull(["--max-bytes", "1G"]).errors.isEmpty)
  }

  @Test func `one that tstat_send has at work is left for the next run`() async throws {
    try tree.make("1.out", sent: Self.old)
    try tree.make("2.out", sent: Self.old)
    let other = try ChildProcess(["flock", "\(tree.path)/1.out", "sh", "-c", "echo held; exec sleep 1000"])
    try await other.output.first("the lock") { $0 == "held" ? () : nil }
    let answer = try await cull(["-v"])
    #expect(answer.status == .exited(0))
    #expect(try left() == ["1.out"])
    #expect(answer.errors.contains("another tstat_send works in \(tree.path)/1.out"))
  }

  /// Root without the capabilities by which permissions do not count for it.
  private var bound: [String] {
    geteuid() == 0 ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"] : []
  }

  @Test func `what cannot be removed is said, and the others go`() async throws {
    try tree.make("1.out", sent: Self.old)
    try tree.make("1.out/sub", logs: [], extra: ["a"])
    try tree.make("2.out", sent: Self.old)
    try tree.make("3.out", sent: Self.old)
    try tree.make("folder/4.out", sent: Self.old)
    let denied = ["1.out/sub": 0o555, "2.out": 0, "folder": 0]
    for (name, permissions) in denied {
      try FileManager.default.setAttributes(
        [.posixPermissions: permissions], ofItemAtPath: "\(tree.path)/\(name)")
    }
    let answer = try await cull(wrapper: bound)
    for name in denied.keys {
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(tree.path)/\(name)")
    }
    #expect(answer.status == .exited(75))
    #expect(try left() == ["1.out", "2.out", "folder"])
    let path = tree.path
    #expect(answer.errors.contains("error: \(path)/1.out/sub/a cannot be removed: Permission denied."))
    #expect(answer.errors.contains("warning: \(path)/2.out is passed over: Permission denied."))
    #expect(answer.errors.contains("warning: \(path)/folder is passed over: Permission denied."))
    // What is left is still marked: it is not sent again, and the next run removes it.
    #expect(tree.exists("1.out/.processed"))
    #expect(try await cull().status == .exited(0))
    #expect(try left() == ["folder"])
  }

  @Test(.needs(.namespaces))
  func `the capabilities of the sample unit are enough for files of others`() async throws {
    try tree.make("1.out", sent: Self.old)
    try tree.make("1.out/sub", logs: [], extra: ["a"])
    try await run(["chown", "-R", "65534:65534", tree.path])
    try await run(["chmod", "-R", "go=,u=rX", tree.path])
    let unit = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../../samples/tstat_cull.service")
    let prefix = "CapabilityBoundingSet="
    let line = try String(contentsOf: unit, encoding: .utf8).split(separator: "\n").first {
      $0.hasPrefix(prefix)
    }
    let names = try #require(line).dropFirst(prefix.count).split(separator: " ")
    let set = names.map { "+" + $0.dropFirst("CAP_".count).lowercased() }.joined(separator: ",")
    let answer = try await cull(wrapper: ["setpriv", "--bounding-set=-all,\(set)"])
    #expect(answer.status == .exited(0), "\(answer.errors)")
    #expect(try left().isEmpty)
  }

  @Test func `a folder that cannot be looked into is only said where it is no directory of logs`()
    async throws
  {
    try tree.make("lost+found", logs: [])
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: "\(tree.path)/lost+found")
    let answer = try await cull(wrapper: bound)
    #expect(answer.status == .exited(0))
    #expect(answer.errors.contains("lost+found is passed over: Permission denied."))
  }

  @Test func `after clocks were set back the younger directory is live, whatever its name`() async throws {
    try tree.make("2026_10_25_02_40.out", changed: .seconds(600), sent: Self.old)
    try tree.make("2026_10_25_02_10.out", changed: .seconds(10), sent: Self.old)
    let answer = try await cull(["-D", "-v"])
    #expect(answer.errors.contains("2026_10_25_02_10.out stays: clocks were set back"), "\(answer.errors)")
    #expect(answer.errors.contains("2026_10_25_02_40.out stays: it is the newest"))
  }

  @Test func `JSON says all of it on standard output`() async throws {
    try tree.make("1\n\"\u{1b}.out", sent: Self.old)
    try tree.make("2.out", sent: .zero)
    let answer = try await cull(["--format", "json", "-v"])
    #expect(answer.status == .exited(0))
    #expect(answer.errors.isEmpty)
    let objects = try answer.output.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(objects.map { $0["event"] as? String } == ["cull", "cull", "cull_total"])
    #expect(objects.map { $0["state"] as? String } == ["removed", "kept", nil])
    #expect(objects.map { $0["reason"] as? String } == ["expired", "young", nil])
    #expect(objects[0]["path"] as? String == "\(tree.path)/1\n\"\u{1b}.out")
    #expect(objects[2]["removed"] as? Int == 1 && objects[2]["kept"] as? Int == 1)
    #expect(objects[2]["bytes"] as? Int == objects[0]["bytes"] as? Int)
  }

  @Test func `a hostile name drives no terminal`() async throws {
    try tree.make("1\n\u{1b}[2J.out", sent: Self.old)
    let answer = try await cull()
    #expect(answer.errors.hasSuffix("removing \(tree.path)/1\\n\\e[2J.out\n"))
    #expect(!answer.output.contains("\u{1b}"))
  }

  @Test(arguments: [
    ["--ttl", "-1"], ["-t", "0.5"], ["-t", "99999999999999999999"], ["--max-bytes", "10X"],
    ["--max-bytes", "-5"],
    ["--max-bytes", ""], ["--max-bytes", "9P9"], ["--max-bytes", "8192P"], ["--format", "table"],
    ["-d", "/nonexistent"],
    ["-d", "/etc/passwd"], ["-d", ""], ["extra"], ["--unknown"],
  ])
  func `wrong flags end with 64 and remove nothing`(flags: [String]) async throws {
    try tree.make("1.out", sent: Self.old)
    let answer = try await cull(flags)
    #expect(answer.status == .exited(64), "\(answer.errors)")
    #expect(answer.errors.hasPrefix("tstat_cull: error: "))
    #expect(try left() == ["1.out"])
  }
}

extension Sequence where Element: Sendable {
  fileprivate func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}
