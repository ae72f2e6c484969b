import Glibc
import Lab
import Model
import Testing

@testable import Kernel

/// The finder on the running kernel, with and without its news of processes.
@Suite struct OwnersKernelTests {
  private func finder(_ usesNews: Bool) throws -> OwnerFinder {
    // Programs of other tests hold tens of thousands of descriptors.
    var limits = OwnerFinder.Limits()
    (limits.looks, limits.looksPerSecond) = (10_000_000, 10_000_000)
    return try OwnerFinder(usesNews: usesNews, limits: limits, at: .now)
  }

  private func owner(_ finder: inout OwnerFinder, _ inode: UInt64) -> OwnerFinder.Holding? {
    finder.owner(ofInode: inode, uid: getuid())
      ?? finder.owner(ofInode: inode, uid: getuid(), at: .now) { true }
  }

  @Test(arguments: [true, false])
  func `a socket that this process opens has this process as a holder`(usesNews: Bool) throws {
    var finder = try finder(usesNews)
    for _ in 0..<20 {
      let socket = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
      let held = owner(&finder, socket.inode)
      #expect(held?.holders.contains { $0.pid == getpid() } == true)
    }
  }

  @Test(arguments: [true, false])
  func `a closed socket has no holder`(usesNews: Bool) throws {
    var finder = try finder(usesNews)
    var inode: UInt64 = 0
    do {
      let socket = try SocketsOpened(AF_INET6, SOCK_DGRAM, .udp)
      inode = socket.inode
      #expect(owner(&finder, inode) != nil)
    }
    #expect(owner(&finder, inode)?.holders.contains { $0.pid == getpid() } != true)
  }

  @Test(arguments: [true, false])
  func `a child that inherits a socket shares it with this process`(usesNews: Bool) throws {
    var finder = try finder(usesNews)
    let socket = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let child = try OwnersChild(["sleep", "1000"], inherits: socket.descriptor)
    var held: OwnerFinder.Holding?
    // The child may still be on its way to its program.
    while held?.holders.contains(where: { $0.pid == child.pid }) != true {
      finder.relist()
      for pid in [getpid(), child.pid] { _ = finder.read(pid, rereads: true, seeking: 0) }
      held = owner(&finder, socket.inode)
    }
    #expect(held?.isShared == true)
    #expect(held?.holders.contains { $0.pid == getpid() } == true)
    #expect(held?.owner == held?.holders.first)
    child.end()
    let left = owner(&finder, socket.inode)
    #expect(left?.holders.contains { $0.pid == child.pid } == false)
  }

  /// Where the calling thread runs, and where it may.
  private static func place() -> (processor: Int32?, allowed: Substring?) {
    let stat = SmallFile.text("/proc/thread-self/stat").flatMap { ProcessStat(Array($0.utf8)[...]) }
    let status = SmallFile.text("/proc/thread-self/status")?.split(separator: "\n")
    return (stat?.processor, status?.first { $0.hasPrefix("Cpus_allowed_list:") })
  }

  /// The numbers of a list such as `0-3,8` (cpuset(7)).
  private static func processors(_ list: Substring?) -> [Int32] {
    (list?.split(separator: "\t").last ?? "").split(separator: ",").flatMap { range in
      let ends = range.split(separator: "-").compactMap { Int32($0) }
      return ends.first.map { Array($0...(ends.last ?? $0)) } ?? []
    }
  }

  @Test func `as many processors are counted as this thread may run on`() {
    #expect(Processors.count == Self.processors(Self.place().allowed).count)
  }

  @Test(.enabled(if: ProcessesPrivileges.isRoot))
  func `a thread that comes first follows to a processor, and may leave it as before`() {
    OtherThread.run {
      let thread = PromptThread()
      let allowed = Self.place().allowed
      for processor in Self.processors(allowed) {
        // It may be moved on at once, to where nobody comes first.
        let isThere = (0..<1_000).contains { _ in
          thread.follow(processor)
          return Self.place().processor == processor
        }
        #expect(isThere, "\(processor)")
      }
      thread.follow(-1)
      thread.follow(.max)
      #expect(allowed != nil && Self.place().allowed == allowed)
    }
  }

  @Test func `a program that has ended keeps its name`() throws {
    var finder = try finder(true)
    let child = try OwnersChild(["sleep", "1000"])
    var identity: ProcessIdentity?
    while identity == nil {
      finder.relist()
      identity = finder.living[child.pid]?.identity
    }
    let known = try #require(identity)
    while finder.description(of: known)?.arguments.first != "sleep" { _ = finder.handleProcessEvents() }
    finder.living.update(child.pid) { $0.hasOwned = true }
    child.end()
    while finder.living[child.pid] != nil {
      _ = finder.handleProcessEvents()
      finder.relist()
    }
    #expect(finder.description(of: known)?.commandLine == "sleep 1000")
  }

  @Test func `where the kernel tells of processes, a start and an end are news`() throws {
    var finder = try finder(true)
    guard finder.eventDescriptor != nil else {
      #expect(finder.newsError != nil)
      return
    }
    let child = try OwnersChild(["sleep", "1000"])
    while finder.living[child.pid]?.description?.commandLine != "sleep 1000" {
      _ = finder.handleProcessEvents()
    }
    #expect(finder.living[child.pid]?.parent == getpid())
    child.end()
    while finder.living[child.pid] != nil { _ = finder.handleProcessEvents() }
    #expect(finder.counters.malformedNews == 0)
  }
}
