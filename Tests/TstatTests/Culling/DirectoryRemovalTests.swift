import Foundation
import Glibc
import Lab
import SystemRuntime
import Testing

@testable import Tstat

/// Removing real directories, and what must stay.
@Suite struct DirectoryRemovalTests {
  private let tree: LogTree

  init() throws { tree = try LogTree() }

  private func only() throws -> LogDirectory {
    let found = try tree.found()
    try #require(found.count == 1)
    return found[0]
  }

  @Test func `all of it goes, and what links lead to stays`() throws {
    let outside = try LogTree()
    try outside.make("kept")
    try tree.make("1.out", sent: .zero, extra: ["log_mm_complete"])
    try tree.make("1.out/histograms/deep", logs: [], extra: ["a", "b"])
    try tree.link("1.out/link", to: "\(outside.path)/kept")
    try tree.link("1.out/histograms/link", to: "\(outside.path)/kept/log_tcp_complete")
    #expect(unsafe mkfifo("\(tree.path)/1.out/fifo", 0o600) == 0)
    let removal = try DirectoryRemoval(of: only(), in: tree.root)
    #expect(removal.missingLock == nil)
    let outcome = removal.remove()
    #expect(outcome == DirectoryRemoval.Outcome(freedBytes: removal.bytes, failure: nil))
    #expect(removal.bytes > 0 && removal.bytes % 512 == 0)
    #expect(!tree.exists("1.out"))
    #expect(outside.folder.read("kept/log_tcp_complete") == "a row\n")
  }

  @Test func `more files than are read at once go, too`() throws {
    try tree.make("1.out", logs: [], sent: .zero, extra: (0..<9000).map { "file\($0)" })
    #expect(try DirectoryRemoval(of: only(), in: tree.root).remove().failure == nil)
    #expect(!tree.exists("1.out"))
  }

  @Test func `a file that has another name frees nothing`() throws {
    try tree.make("1.out", sent: .zero)
    let one = try DirectoryRemoval.bytes(of: only(), in: tree.root)
    let log = try FileManager.default.attributesOfItem(atPath: "\(tree.path)/1.out/log_tcp_complete")
    try #require(log[.size] as? Int == 6)
    try FileManager.default.linkItem(
      atPath: "\(tree.path)/1.out/log_tcp_complete", toPath: "\(tree.path)/other")
    let two = try DirectoryRemoval.bytes(of: only(), in: tree.root)
    #expect(one - two >= 512)
    #expect(try DirectoryRemoval(of: only(), in: tree.root).remove().freedBytes == two)
    #expect(tree.folder.read("other") == "a row\n")
  }

  private enum Change: CaseIterable, Sendable { case noMark, newMark, state, grown, newLog }

  @Test(arguments: Change.allCases)
  private func `what has changed since it was found stays`(change: Change) throws {
    let path = try tree.make("1.out", sent: .seconds(100))
    let found = try only()
    switch change {
    case .noMark: try FileManager.default.removeItem(atPath: "\(path)/.processed")
    case .newMark: try tree.setTime("1.out/.processed", ago: .zero)
    case .state: try tree.folder.write("", to: "1.out/.tstat_send")
    case .grown: try tree.folder.write("a row\nand another\n", to: "1.out/log_tcp_complete")
    case .newLog: try tree.folder.write("", to: "1.out/log_udp_complete")
    }
    #expect(throws: LogDirectoryError.changed(path: path)) { try DirectoryRemoval(of: found, in: tree.root) }
    #expect(tree.exists("1.out/log_tcp_complete"))
  }

  @Test func `one in which tstat_send works stays`() throws {
    let path = try tree.make("1.out", sent: .zero)
    let found = try only()
    let lock = try OpenLogDirectory(found, in: tree.root).lock(for: "tstat_send")
    #expect(throws: LogDirectoryError.inUse(path: path, by: "tstat_send")) {
      try DirectoryRemoval(of: found, in: tree.root)
    }
    withExtendedLifetime(lock) {}
  }

  @Test func `one that holds another directory of logs stays`() throws {
    try tree.make("1.out", sent: .zero)
    let inner = try tree.make("1.out/a/2.out")
    let found = try #require(try tree.found().first)
    #expect(throws: LogDirectoryError.holdsLogs(path: inner)) {
      try DirectoryRemoval(of: found, in: tree.root)
    }
    #expect(try DirectoryRemoval.bytes(of: found, in: tree.root) > 0)
    try FileManager.default.removeItem(atPath: "\(inner)/log_tcp_complete")
    #expect(try DirectoryRemoval(of: found, in: tree.root).remove().failure == nil)
  }

  @Test func `another directory that has its name by now stays`() throws {
    let path = try tree.make("1.out", sent: .zero)
    let removal = try DirectoryRemoval(of: only(), in: tree.root)
    try FileManager.default.moveItem(atPath: path, toPath: "\(tree.path)/moved")
    try tree.make("1.out", sent: .zero)
    #expect(removal.remove().failure == .replaced(path: path))
    #expect(tree.folder.read("1.out/log_tcp_complete") == "a row\n")
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(tree.path)/moved").isEmpty)
  }

  @Test func `a directory put in place of one within, while it is emptied, stays`() throws {
    let path = try tree.make("1.out", sent: .zero)
    try tree.make("1.out/sub", logs: [], extra: ["a"])
    try tree.make("other", logs: [], extra: ["precious"])
    let removal = try DirectoryRemoval(of: only(), in: tree.root)
    try FileManager.default.removeItem(atPath: "\(path)/sub")
    try tree.link("1.out/sub", to: "../other")
    #expect(removal.remove().failure == nil)
    #expect(tree.folder.read("other/precious") == "more\n")
  }

  @Test func `the root itself, and what lies too deep, stay`() throws {
    let path = try tree.make("1.out", sent: .zero)
    let root = try LogRoot(path)
    let found = try #require(try LogDirectories(below: root).found.first)
    #expect(throws: LogDirectoryError.changed(path: path)) { try DirectoryRemoval(of: found, in: root) }
    try tree.make("1.out/" + [String](repeating: "d", count: 40).joined(separator: "/"), logs: [])
    let error = #expect(throws: LogDirectoryError.self) { try DirectoryRemoval(of: only(), in: tree.root) }
    guard case .tooDeep = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(tree.exists("1.out/log_tcp_complete"))
  }

  /// The second is of the same file system: its device number is the same.
  @Test(
    .needs(.namespaces),
    arguments: ["mount -t tmpfs none $1/1.out/sub", "mount --bind $1/other $1/1.out/sub"])
  func `another file system within it keeps all of it`(mount: String) async throws {
    let mounted = try await MountedFolder(
      "mkdir -p $1/1.out/sub $1/other; echo row >$1/1.out/log_tcp_complete; echo processed >$1/1.out/.processed; "
        + "\(mount); echo precious >$1/1.out/sub/file")
    let root = try LogRoot(mounted.path)
    let found = try #require(try LogDirectories(below: root).found.first)
    #expect(throws: LogDirectoryError.mountPoint(path: "\(found.path)/sub")) {
      try DirectoryRemoval(of: found, in: root)
    }
    #expect(try String(contentsOfFile: "\(found.path)/sub/file", encoding: .utf8) == "precious\n")
    #expect(try String(contentsOfFile: "\(found.path)/log_tcp_complete", encoding: .utf8) == "row\n")
  }
}
