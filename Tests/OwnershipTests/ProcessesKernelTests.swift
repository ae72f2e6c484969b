import KernelLab
import Lab
import Glibc
import Model
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

/// The running kernel's /proc: this process, and children of it.
@Suite struct ProcessesKernelTests {
  private func startTime(_ pid: pid_t) throws -> UInt64 { try stat(pid).startTime }

  private func stat(_ pid: pid_t) throws -> ProcessStat {
    let folder = try OpenFile("/proc/\(pid)", isFolder: true)
    let file = try OpenFile("stat", in: folder)
    var text = [UInt8](repeating: 0, count: 4096)
    let count = try file.readAll(into: &text)
    return try #require(ProcessStat(text[..<count]))
  }

  private func table() throws -> ProcessTable {
    var table = try ProcessTable()
    try table.refresh()
    return table
  }

  @Test func `this process holds its sockets`() throws {
    let sockets = try (0..<20).map { _ in try SocketsOpened(AF_INET, SOCK_DGRAM, .udp) }
    let me = ProcessIdentity(pid: getpid(), startTime: try startTime(getpid()))
    var table = try table()
    let wanted = Set(sockets.map(\.inode))
    for _ in 0..<3 {
      let holders = table.holders(of: wanted)
      for inode in wanted { #expect(holders[inode]?.contains(me) == true) }
      try table.refresh()
    }
  }

  @Test func `a process that starts or ends is seen by the next refresh, however quiet it was before`() throws
  {
    var table = try table()
    for _ in 0..<8 {
      for _ in 0..<4 { try table.refresh() }
      let child = try OwnersChild(["sleep", "1000"])
      try table.refresh()
      #expect(table.processes.contains { $0.pid == child.pid })
      for _ in 0..<4 { try table.refresh() }
      child.end()
      try table.refresh()
      #expect(!table.processes.contains { $0.pid == child.pid })
    }
  }

  @Test func `a socket opened or closed after the first look is noticed`() throws {
    var table = try table()
    var inode: UInt64 = 0
    do {
      let socket = try SocketsOpened(AF_INET6, SOCK_STREAM, .tcp)
      inode = socket.inode
      #expect(table.holders(of: [inode])[inode]?.contains { $0.pid == getpid() } == true)
    }
    try table.refresh()
    #expect(table.holders(of: [inode])[inode]?.contains { $0.pid == getpid() } != true)
  }

  @Test func `a child shares what it inherits, until it ends`() throws {
    let socket = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    var table = try table()
    _ = table.holders(of: [socket.inode])
    let child = try OwnersChild(["sleep", "1000"], inherits: socket.descriptor)
    let identity = ProcessIdentity(pid: child.pid, startTime: try startTime(child.pid))
    try table.refresh()
    #expect(table.holders(of: [socket.inode])[socket.inode]?.contains(identity) == true)
    child.end()
    try table.refresh()
    #expect(table.exited.contains(identity))
    #expect(table.holders(of: [socket.inode])[socket.inode]?.contains(identity) == false)
  }

  @Test func `what a child runs`() throws {
    let child = try OwnersChild(["sleep", "1000"])
    let identity = ProcessIdentity(pid: child.pid, startTime: try startTime(child.pid))
    var table = try table()
    // The child may still be on its way from this program to sleep.
    var description = table.description(of: identity, ancestors: true)
    while description?.arguments.first != "sleep", description != nil {
      try table.refresh()
      description = table.description(of: identity, ancestors: true)
    }
    #expect(description?.commandLine == "sleep 1000")
    #expect(description?.arguments == ["sleep", "1000"])
    #expect(description?.executable?.hasSuffix("sleep") == true)
    #expect(description?.uid == getuid())
    let me = ProcessIdentity(pid: getpid(), startTime: try startTime(getpid()))
    let mine = table.description(of: me, ancestors: false)
    #expect(description?.ancestors.first == mine?.commandLine)
    #expect((description?.ancestors.count ?? 0) >= 1)
  }

  @Test func `a process that ended and is not reaped keeps its name`() throws {
    let child = try OwnersChild(["sleep", "1000"])
    let identity = ProcessIdentity(pid: child.pid, startTime: try startTime(child.pid))
    var table = try table()
    while table.description(of: identity, ancestors: false)?.commandLine != "sleep 1000" {
      try table.refresh()
    }
    kill(child.pid, SIGKILL)
    while try !stat(child.pid).isDead { sched_yield() }
    for _ in 0..<10 {
      try table.refresh()
      #expect(table.description(of: identity, ancestors: false)?.commandLine == "sleep 1000")
    }
    child.end()
    try table.refresh()
    #expect(table.exited == [identity])
    #expect(table.description(of: identity, ancestors: false)?.commandLine == "sleep 1000")
  }

  @Test func `kernel threads are named like ps names them`() throws {
    var table = try table()
    // In a pid namespace of our own there are none, and pid 2 is somebody else.
    guard let second = try? stat(2), second.parent == 0, second.name == "kthreadd" else {
      return try Requirement.skip(for: "kthreadd")
    }
    let identity = ProcessIdentity(pid: 2, startTime: second.startTime)
    let described = table.description(of: identity, ancestors: false)
    #expect(described?.commandLine == "[kthreadd]")
  }

  @Test func `an unchanged process is not read twice`() throws {
    let child = try OwnersChild(["sleep", "1000"])
    let identity = ProcessIdentity(pid: child.pid, startTime: try startTime(child.pid))
    let held = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    var table = try table()
    while table.description(of: identity, ancestors: false)?.commandLine != "sleep 1000" {
      try table.refresh()
    }
    _ = table.holders(of: [held.inode])
    let known = table.processes.first { $0.pid == child.pid }
    try table.refresh()
    _ = table.holders(of: [held.inode])
    let again = table.processes.first { $0.pid == child.pid }
    #expect(known?.descriptors != nil && known?.descriptors == again?.descriptors)
    #expect(again?.isFresh == false)
    #expect(again?.identity == identity)
  }
}
