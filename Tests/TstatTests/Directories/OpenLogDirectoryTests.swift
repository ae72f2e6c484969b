import Foundation
import Glibc
import Lab
import SystemPackage
import SystemRuntime
import Testing

@testable import Tstat

/// State files and marks in real folders: on the disk, or as before.
@Suite struct OpenLogDirectoryTests {
  private let tree: LogTree
  private let root: LogRoot
  private let found: LogDirectory
  private let work: SendProgress.Fingerprint

  init() throws {
    tree = try LogTree()
    try tree.make("1.out")
    root = try tree.root
    found = try #require(try tree.found().first)
    work = SendProgress.Fingerprint(logs: found.logs, settings: "threshold 10")
  }

  @Test func `progress is kept until the mark, which is exact`() throws {
    let open = try OpenLogDirectory(found, in: root)
    #expect(try open.progress(for: work) == .acknowledged(0))
    for count in [1, 2, 40] {
      try open.save(SendProgress(work, acknowledged: count))
      #expect(try OpenLogDirectory(found, in: root).progress(for: work) == .acknowledged(count))
    }
    #expect(try open.refreshed().hasProgress)
    #expect(try !open.refreshed().isProcessed)
    try open.markProcessed()
    #expect(tree.folder.read("1.out/.processed") == "processed")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: found.path).sorted() == [
        ".processed", "log_tcp_complete",
      ])
    let now = try open.refreshed()
    #expect(now.isProcessed && !now.hasProgress)
  }

  @Test func `what others have put there is replaced, and what links lead to is left alone`() throws {
    let target = try tree.folder.write("precious", to: "target")
    for name in [".tstat_send", ".tstat_send.new", ".processed", ".processed.new"] {
      try tree.link("1.out/\(name)", to: target)
    }
    let open = try OpenLogDirectory(found, in: root)
    #expect(try open.progress(for: work).count == 0)
    try open.save(SendProgress(work, acknowledged: 3))
    #expect(try open.progress(for: work) == .acknowledged(3))
    try open.markProcessed()
    #expect(tree.folder.read("target") == "precious")
    #expect(tree.folder.read("1.out/.processed") == "processed")
    #expect(!tree.exists("1.out/.tstat_send"))
  }

  @Test func `another directory of the same name gets neither state nor mark`() throws {
    let open = try OpenLogDirectory(found, in: root)
    try open.save(SendProgress(work, acknowledged: 3))
    try FileManager.default.moveItem(atPath: found.path, toPath: "\(tree.path)/old")
    try tree.make("1.out")
    #expect(throws: LogDirectoryError.replaced(path: found.path)) { try OpenLogDirectory(found, in: root) }
    try open.markProcessed()
    #expect(!tree.exists("1.out/.processed") && tree.exists("old/.processed"))
  }

  @Test func `a directory that was removed and made again gets neither`() throws {
    let open = try OpenLogDirectory(found, in: root)
    try FileManager.default.removeItem(atPath: found.path)
    #expect(throws: LogDirectoryError.vanished(path: found.path)) { try OpenLogDirectory(found, in: root) }
    try tree.make("1.out")
    let gone = LogDirectoryError.vanished(path: found.path)
    #expect(throws: gone) { try open.save(SendProgress(work, acknowledged: 3)) }
    #expect(throws: gone) { try open.markProcessed() }
    #expect(throws: gone) { try open.refreshed() }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: found.path) == ["log_tcp_complete"])
  }

  @Test func `a link in place of a directory on the way is not followed`() throws {
    try tree.make("a/2.out")
    let inner = try #require(try tree.found().last)
    try FileManager.default.moveItem(atPath: "\(tree.path)/a", toPath: "\(tree.path)/b")
    try tree.link("a", to: "b")
    #expect(throws: LogDirectoryError.replaced(path: inner.path)) { try OpenLogDirectory(inner, in: root) }
  }

  @Test func `a log is opened only if it is the one that was found`() throws {
    let open = try OpenLogDirectory(found, in: root)
    let log = try #require(found.tcp)
    var buffer = [UInt8](repeating: 0, count: 100)
    let file = try open.open(log)
    #expect(try file.readAll(into: &buffer) == 6)
    try tree.folder.write("another row\n", to: "1.out/new")
    try FileManager.default.removeItem(atPath: "\(found.path)/log_tcp_complete")
    #expect(throws: LogDirectoryError.vanished(path: "\(found.path)/log_tcp_complete")) {
      _ = try open.open(log)
    }
    try FileManager.default.moveItem(atPath: "\(found.path)/new", toPath: "\(found.path)/log_tcp_complete")
    let changed = LogDirectoryError.changed(path: "\(found.path)/log_tcp_complete")
    #expect(throws: changed) { _ = try open.open(log) }
    try FileManager.default.removeItem(atPath: "\(found.path)/log_tcp_complete")
    try tree.link("1.out/log_tcp_complete", to: "/etc/passwd")
    #expect(throws: changed) { _ = try open.open(log) }
  }

  @Test(
    .needs(.namespaces),
    arguments: [
      (
        prepare: "mount -t tmpfs -o size=64k none $1; mkdir $1/1.out; echo row >$1/1.out/log_tcp_complete; "
          + "echo old >$1/1.out/.tstat_send; cat /dev/zero >$1/full 2>/dev/null || true", errno: Errno.noSpace
      ),
      (
        prepare: "mount -t tmpfs none $1; mkdir $1/1.out; echo row >$1/1.out/log_tcp_complete; "
          + "echo old >$1/1.out/.tstat_send; mount -o remount,ro $1", errno: .readOnlyFileSystem
      ),
    ])
  func `a full disk, or one that is read only, leaves all as it was`(prepare: String, errno: Errno)
    async throws
  {
    let mounted = try await MountedFolder(prepare)
    let root = try LogRoot(mounted.path)
    let found = try #require(try LogDirectories(below: root).found.first)
    let open = try OpenLogDirectory(found, in: root)
    let state = LogDirectoryError.unwritable(path: "\(found.path)/.tstat_send", errno)
    #expect(throws: state) { try open.save(SendProgress(work, acknowledged: 3)) }
    #expect(throws: LogDirectoryError.unwritable(path: "\(found.path)/.processed", errno)) {
      try open.markProcessed()
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: found.path).sorted() == [
        ".tstat_send", "log_tcp_complete",
      ])
    #expect(try String(contentsOfFile: "\(found.path)/.tstat_send", encoding: .utf8) == "old\n")
    #expect(state.description.contains("cannot be written: \(errno.description)."))
  }

  @Test func `a second run finds the lock, and the kernel lets go of it`() async throws {
    let held = LogDirectoryError.inUse(path: tree.path, by: "tstat_send")
    do {
      let lock = try DirectoryLock(root, for: "tstat_send")
      #expect(throws: held) { _ = try DirectoryLock(tree.root, for: "tstat_send") }
      #expect(held.passesByItself && held.description.hasPrefix("another tstat_send works in \(tree.path): "))
      // Directories below have locks of their own.
      let open = try OpenLogDirectory(found, in: root)
      let own = try open.lock(for: "tstat_send")
      #expect(throws: LogDirectoryError.inUse(path: found.path, by: "tstat_send")) {
        _ = try OpenLogDirectory(found, in: root).lock(for: "tstat_send")
      }
      withExtendedLifetime((lock, own)) {}
    }
    // A program that a test starts just now may have inherited it until it is executed.
    _ = try await eventually("the end of the lock") { try? DirectoryLock(root, for: "tstat_send") }
    let other = try ChildProcess(["flock", tree.path, "sh", "-c", "echo held; exec sleep 1000"])
    try await other.output.first("the lock") { $0 == "held" ? () : nil }
    #expect(throws: held) { _ = try DirectoryLock(root, for: "tstat_send") }
    kill(-other.pid, SIGKILL)
    _ = try await eventually("the end of the lock") { try? DirectoryLock(root, for: "tstat_send") }
  }
}
