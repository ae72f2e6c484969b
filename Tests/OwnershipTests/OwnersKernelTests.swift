import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Ownership
@testable import SystemRuntime

/// The finder on the running kernel, with and without its process events.
@Suite struct OwnersKernelTests {
  private func finder(_ usesEvents: Bool) throws -> OwnerFinder {
    // Programs of other tests hold tens of thousands of descriptors.
    var limits = OwnerFinder.Limits()
    (limits.looks, limits.looksPerSecond) = (10_000_000, 10_000_000)
    return try OwnerFinder(usesEvents: usesEvents, limits: limits, at: .now)
  }

  private func owner(_ finder: inout OwnerFinder, _ inode: UInt64) -> OwnerFinder.Holding? {
    finder.owner(ofInode: inode, uid: getuid())
      ?? finder.owner(ofInode: inode, uid: getuid(), at: .now) { true }
  }

  @Test(arguments: [true, false])
  func `a socket that this process opens has this process as a holder`(usesEvents: Bool) throws {
    var finder = try finder(usesEvents)
    for _ in 0..<20 {
      let socket = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
      let held = owner(&finder, socket.inode)
      #expect(held?.holders.contains { $0.pid == getpid() } == true)
    }
  }

  @Test(arguments: [true, false])
  func `a closed socket has no holder`(usesEvents: Bool) throws {
    var finder = try finder(usesEvents)
    var inode: UInt64 = 0
    do {
      let socket = try SocketsOpened(AF_INET6, SOCK_DGRAM, .udp)
      inode = socket.inode
      #expect(owner(&finder, inode) != nil)
    }
    #expect(owner(&finder, inode)?.holders.contains { $0.pid == getpid() } != true)
  }

  @Test(arguments: [true, false])
  func `a child that inherits a socket shares it with this process`(usesEvents: Bool) throws {
    var finder = try finder(usesEvents)
    let socket = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    let child = try OwnersChild(["sleep", "1000"], inherits: socket.descriptor)
    var held: OwnerFinder.Holding?
    // The child may still be on its way to its program.
    while held?.holders.contains(where: { $0.pid == child.pid }) != true {
      finder.list()
      for pid in [getpid(), child.pid] { _ = finder.observed.read(pid, rereads: true, seeking: 0) }
      held = owner(&finder, socket.inode)
    }
    #expect(held?.isShared == true)
    #expect(held?.holders.contains { $0.pid == getpid() } == true)
    #expect(held?.owner == held?.holders.first)
    child.end()
    let left = owner(&finder, socket.inode)
    #expect(left?.holders.contains { $0.pid == child.pid } == false)
  }

  /// Where the calling thread may run.
  private static var allowed: Substring? {
    SmallFile.text("/proc/thread-self/status")?.split(separator: "\n")
      .first { $0.hasPrefix("Cpus_allowed_list:") }
  }

  /// The numbers of a list such as `0-3,8` (cpuset(7)).
  private static func processors(_ list: Substring?) -> [Int32] {
    (list?.split(separator: "\t").last ?? "").split(separator: ",").flatMap { range in
      let ends = range.split(separator: "-").compactMap { Int32($0) }
      return ends.first.map { Array($0...(ends.last ?? $0)) } ?? []
    }
  }

  @Test func `as many processors are counted as this thread may run on`() {
    #expect(Processors.count == Self.processors(Self.allowed).count)
  }

  @Test func `a program that has ended keeps its name`() throws {
    var finder = try finder(true)
    let child = try OwnersChild(["sleep", "1000"])
    var identity: ProcessIdentity?
    while identity == nil {
      finder.list()
      identity = finder.observed.living[child.pid]?.identity
    }
    let known = try #require(identity)
    while finder.description(of: known)?.arguments.first != "sleep" { _ = finder.handleProcessEvents() }
    finder.observed.living.update(child.pid) { $0.hasOwned = true }
    child.end()
    while finder.observed.living[child.pid] != nil {
      _ = finder.handleProcessEvents()
      finder.list()
    }
    #expect(finder.description(of: known)?.commandLine == "sleep 1000")
  }

  @Test func `where the kernel reports processes, a start and an end are events`() throws {
    var finder = try finder(true)
    if finder.eventDescriptor == nil {
      #expect(finder.eventError != nil)
      try Requirement.skip(for: "proc_connector")
    }
    let child = try OwnersChild(["sleep", "1000"])
    while finder.observed.living[child.pid]?.description?.commandLine != "sleep 1000" {
      _ = finder.handleProcessEvents()
    }
    #expect(finder.observed.living[child.pid]?.parent == getpid())
    child.end()
    while finder.observed.living[child.pid] != nil { _ = finder.handleProcessEvents() }
    #expect(finder.counters.malformedEvents == 0)
  }
}
