import Foundation
import Glibc
import Lab
import Synchronization
import SystemRuntime
import Testing

@testable import Tstat

/// The walk: real folders.
@Suite struct LogDirectoriesTests {
  private final class Flag: Sendable { let isSet = Atomic(false) }

  private func remarks(_ tree: LogTree, depth: Int = LogDirectories.standardDepth) throws -> Set<String> {
    let walk = try LogDirectories(below: tree.root, depth: depth)
    #expect(walk.remarksLeftOut == 0)
    return Set(walk.remarks.map { "\($0.path.dropFirst(tree.path.count + 1)) \($0.reason)" })
  }

  @Test func `directories come in the order of their names, then of their paths`() throws {
    let tree = try LogTree()
    for name in [
      "b/2024_01_01_02_00.out", "b/2024_01_01_00_00.out", "a/x/2024_01_01_01_00.out",
      "a/2024_01_01_02_00.out",
    ] {
      try tree.make(name)
    }
    try tree.make("a/2024_01_01_09_00")
    try tree.make("a/2024_01_01_08_00.out", logs: ["log_tcp_nocomplete"])
    let found = try LogDirectories(below: tree.root).found
    #expect(
      found.map { String($0.path.dropFirst(tree.path.count + 1)) } == [
        "b/2024_01_01_00_00.out", "a/x/2024_01_01_01_00.out", "a/2024_01_01_02_00.out",
        "b/2024_01_01_02_00.out",
      ])
    #expect(found.allSatisfy { $0.path == "\($0.parent)/\($0.name)" && !$0.isRoot && !$0.isProcessed })
  }

  @Test func `logs, marks and state files are seen as they are`() throws {
    let tree = try LogTree()
    try tree.make("1.out", logs: ["log_tcp_complete", "log_udp_complete.gz"], sent: .seconds(50))
    try tree.make("2.out", logs: ["log_udp_complete"], extra: [".tstat_send"])
    try tree.make("3.out", logs: ["log_tcp_complete", "log_tcp_complete.gz"])
    try tree.make("4.out", logs: [], sent: .seconds(1))
    let found = try tree.found()
    #expect(found.map(\.name) == ["1.out", "2.out", "3.out", "4.out"])
    #expect(
      found.map { $0.logs.map(\.name) } == [
        ["log_tcp_complete", "log_udp_complete.gz"], ["log_udp_complete"], ["log_tcp_complete"], [],
      ])
    #expect(found[0].tcp?.size == 6)
    #expect(found.map(\.isProcessed) == [true, false, false, true])
    #expect(found.map(\.hasProgress) == [false, true, false, false])
    let age = FileTime.now().since(try #require(found[0].processedAt))
    #expect(age >= .seconds(50) && age < .seconds(50) + patience)
    #expect(try remarks(tree) == ["3.out/log_tcp_complete.gz plainTaken"])
    #expect(try LogDirectories(below: tree.root).found.count == 3)
  }

  @Test func `no link is followed, and what is no file is no log`() throws {
    let tree = try LogTree()
    let elsewhere = try LogTree()
    try elsewhere.make("1.out")
    try tree.link("link.out", to: "\(elsewhere.path)/1.out")
    try tree.link("folder", to: elsewhere.path)
    try tree.link("loop", to: ".")
    try tree.make("2.out", logs: [])
    try tree.link("2.out/log_tcp_complete", to: "\(elsewhere.path)/1.out/log_tcp_complete")
    try tree.make("3.out/log_tcp_complete", logs: [])
    try tree.folder.write("", to: "file.out")
    #expect(try tree.found().isEmpty)
    #expect(
      try remarks(tree) == [
        "link.out link", "2.out/log_tcp_complete link", "3.out/log_tcp_complete notPlain",
      ])
    try tree.link("root", to: elsewhere.path)
    let root = try LogRoot("\(tree.path)/root//")
    #expect(try LogDirectories(below: root).found.map(\.path) == ["\(tree.path)/root/1.out"])
  }

  @Test func `the root may be a directory of logs itself`() throws {
    let tree = try LogTree()
    try tree.make("1.out")
    let root = try LogRoot("\(tree.path)/1.out")
    let found = try LogDirectories(below: root).found
    #expect(found.map(\.path) == ["\(tree.path)/1.out"])
    #expect(found.first?.isRoot == true)
    _ = try OpenLogDirectory(try #require(found.first), in: root)
  }

  @Test func `what lies too deep, or has no name in UTF-8, is said`() throws {
    let tree = try LogTree()
    try tree.make("a/b/1.out")
    try tree.make("a/b/c/2.out")
    #expect(
      unsafe mkdir([CChar](tree.path.utf8CString.dropLast()) + [0x2f, -1, 0x2e, 0x6f, 0x75, 0x74, 0], 0o755)
        == 0)
    let walk = try LogDirectories(below: tree.root, depth: 3)
    #expect(walk.found.map(\.name) == ["1.out"])
    #expect(try remarks(tree, depth: 3) == ["a/b/c/2.out tooDeep", "\u{fffd}.out notText"])
  }

  @Test func `there must be a root`() throws {
    let tree = try LogTree()
    try tree.folder.write("", to: "file")
    for name in ["none", "file"] {
      #expect(throws: LogDirectoryError.self) { try LogRoot("\(tree.path)/\(name)") }
    }
    #expect(throws: LogDirectoryError.self) { try LogRoot("") }
  }

  @Test func `directories that come and go are nobody's failure`() async throws {
    let tree = try LogTree()
    for number in 0..<50 { try tree.make("stays/\(number).out") }
    let isOver = Flag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [tree] in
        while !isOver.isSet.load(ordering: .relaxed) {
          for number in 0..<20 { try tree.make("goes/\(number).out") }
          try FileManager.default.removeItem(atPath: "\(tree.path)/goes")
        }
      }
      for _ in 0..<200 {
        let walk = try LogDirectories(below: tree.root)
        #expect(walk.found.filter { $0.parent.hasSuffix("stays") }.count == 50)
        #expect(walk.remarks.allSatisfy { $0.reason == .vanished }, "\(walk.remarks)")
      }
      isOver.isSet.store(true, ordering: .relaxed)
      try await group.waitForAll()
    }
  }
}
