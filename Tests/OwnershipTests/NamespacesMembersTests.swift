import Lab
import Model
import Testing

@testable import Ownership

/// Which processes are in which namespace, by trees that look like procfs.
@Suite struct NamespacesMembersTests {
  private let proc = ProcessesFakeProc()

  init() {
    proc.folder("thread-self")
    proc.folder("thread-self/ns")
    proc.link("thread-self/ns/net", "net:[1]")
  }

  private func add(_ pid: Int32, in namespace: UInt64) {
    proc.add(pid)
    proc.folder("\(pid)/ns")
    move(pid, to: namespace)
  }

  private func move(_ pid: Int32, to namespace: UInt64) { proc.link("\(pid)/ns/net", "net:[\(namespace)]") }

  private func refresh(
    _ members: inout NamespaceMembers, _ table: inout ProcessTable, renamed: Set<Int32> = []
  ) throws {
    try table.refresh()
    members.refresh(table.processes, renamed: renamed, in: table.root)
  }

  @Test func `who has been in a namespace longest stands for it, whatever its pid`() throws {
    add(20, in: 7)
    add(21, in: 7)
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    add(5, in: 7)
    add(6, in: 1)
    try refresh(&members, &table)
    move(6, to: 7)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 20] && members.others(in: 7) == [21, 5, 6])
    proc.end(20)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 21] && members.others(in: 7) == [5, 6])
    #expect(members.others(in: 8) == [])
  }

  @Test func `the first process of each other namespace stands for it`() throws {
    add(10, in: 1)
    add(11, in: 7)
    add(12, in: 8)
    add(13, in: 7)
    var table = try ProcessTable(root: proc.path)
    #expect(table.ownNamespace == 1)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 11, 8: 12])
    proc.end(11)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 13, 8: 12])
    proc.end(12)
    proc.end(13)
    try refresh(&members, &table)
    #expect(members.representatives == [:] && members.vanished == 0)
  }

  @Test func `a process is looked at when it is new, and then more and more rarely`() throws {
    for pid in Int32(100)..<200 { add(pid, in: 1) }
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    #expect(members.looks == 100)
    for _ in 0..<128 { try refresh(&members, &table) }
    let before = members.looks
    var most: UInt64 = 0
    for _ in 0..<64 {
      let looks = members.looks
      try refresh(&members, &table)
      most = max(most, members.looks - looks)
    }
    // Once in 64 ticks each, and never all together.
    #expect(members.looks - before == 100)
    #expect(most <= 2)
    let looks = members.looks
    add(50, in: 9)
    try refresh(&members, &table)
    #expect(members.representatives == [9: 50] && members.looks - looks <= 3)
  }

  @Test func `who runs another program is looked at as if it were new`() throws {
    add(10, in: 1)
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    // At the longest pause.
    for _ in 0..<200 { try refresh(&members, &table) }
    let looks = members.looks
    try refresh(&members, &table, renamed: [10, 11])
    #expect(members.looks == looks + 1)
    // It enters after a while, with another program or without.
    for _ in 0..<20 { try refresh(&members, &table) }
    move(10, to: 7)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 10] && members.looks == looks + 22)
  }

  @Test func `a process that enters or leaves a namespace is noticed`() throws {
    add(10, in: 1)
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    move(10, to: 7)
    // A process just started is looked at again at once.
    try refresh(&members, &table)
    #expect(members.representatives == [7: 10])
    for _ in 0..<200 { try refresh(&members, &table) }
    move(10, to: 1)
    for _ in 0..<64 { try refresh(&members, &table) }
    #expect(members.representatives == [:])
  }

  @Test(arguments: [1, 2, 3, 10, 31])
  func `a process that takes its time to enter is noticed in the same tick`(ticks: Int) throws {
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    add(10, in: 1)
    for _ in 0..<ticks { try refresh(&members, &table) }
    move(10, to: 7)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 10])
  }

  private func add(_ pid: Int32, threads: ClosedRange<Int32>, in namespace: UInt64) {
    proc.addThreads(pid, Dictionary(uniqueKeysWithValues: threads.map { ($0, [:]) }))
    for thread in [pid] + threads {
      proc.folder("\(pid)/task/\(thread)/ns")
      move(thread, of: pid, to: namespace)
    }
  }

  private func move(_ thread: Int32, of pid: Int32, to namespace: UInt64) {
    proc.link("\(pid)/task/\(thread)/ns/net", "net:[\(namespace)]")
  }

  @Test func `where no process is a thread stands for the namespace, until one is`() throws {
    add(10, in: 1)
    add(10, threads: 1001...1003, in: 1)
    move(1002, of: 10, to: 7)
    move(1003, of: 10, to: 7)
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 1002] && members.others(in: 7) == [])
    add(20, in: 7)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 20])
    proc.end(20)
    try refresh(&members, &table)
    #expect(members.representatives == [7: 1002])
    // One that leaves does not stand for it from then on.
    move(1002, of: 10, to: 1)
    try refresh(&members, &table)
    #expect(members.representatives == [:])
    for _ in 0..<32 { try refresh(&members, &table) }
    #expect(members.representatives == [7: 1003])
  }

  @Test(arguments: [0, 1, 2, 4, 8, 16, 31, 100])
  func `a thread that enters is noticed, in a new process soon`(ticks: Int) throws {
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    add(10, in: 1)
    add(10, threads: 1001...1001, in: 1)
    for _ in 0..<ticks { try refresh(&members, &table) }
    move(1001, of: 10, to: 7)
    let most = ticks < 32 ? max(1, ticks) : 64
    let needed = try (1...most).first { _ in
      try refresh(&members, &table)
      return members.representatives == [7: 1001]
    }
    #expect(needed != nil)
  }

  @Test func `of many threads some are looked at, and rarely`() throws {
    let limits = NamespaceMembers.threadLimits
    for pid in Int32(1)...20 {
      add(pid, in: 1)
      add(pid, threads: (pid * 1_000)...(pid * 1_000 + 69), in: 1)
    }
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    #expect(members.looks <= 20 + UInt64(limits.tick + limits.process))
    #expect(members.looks >= 20 + UInt64(limits.tick - limits.process))
    for _ in 0..<128 { try refresh(&members, &table) }
    let before = members.looks
    for _ in 0..<64 { try refresh(&members, &table) }
    // Once in 64 ticks each.
    #expect(members.looks - before <= UInt64(20 * (1 + limits.process)))
  }

  @Test func `another process with the same pid is looked at from the beginning`() throws {
    add(10, in: 7)
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    for _ in 0..<10 { try refresh(&members, &table) }
    proc.end(10)
    add(10, in: 8)
    try refresh(&members, &table)
    #expect(members.representatives == [8: 10])
  }

  @Test func `a process without the link is passed over, one that is gone is counted`() throws {
    proc.add(10)
    add(11, in: 7)
    proc.link("11/ns/net", "mnt:[7]")
    var table = try ProcessTable(root: proc.path)
    var members = NamespaceMembers(own: 1)
    try refresh(&members, &table)
    #expect(members.representatives == [:] && members.vanished == 1)
  }

  @Test func `namespaces beyond the limit are counted, and have their turn when there is room`() throws {
    for pid in Int32(10)..<15 { add(pid, in: UInt64(pid) * 10) }
    var processes = try ProcessTable(root: proc.path)
    var limits = NamespaceTable.Limits()
    limits.namespaces = 3
    guard var table = NamespaceTable(processes, limits: limits) else {
      Issue.record("no namespace of its own")
      return
    }
    try processes.refresh()
    table.refresh(processes)
    #expect(table.unread == 2)
    proc.end(10)
    proc.end(11)
    try processes.refresh()
    table.refresh(processes)
    #expect(table.unread == 0)
    // Where the links lead there is no namespace: as good as gone, not denied.
    #expect(table.addresses() == [:])
    #expect(table.vanished == 3 && table.answering == 0 && table.unread == 0)
    #expect(table.sockets(of: 120, [.tcp]).isEmpty && table.sockets(of: 99, [.tcp]).isEmpty)
  }

  @Test func `where the own namespace cannot be read there is no table`() throws {
    let proc = ProcessesFakeProc()
    let processes = try ProcessTable(root: proc.path)
    guard NamespaceTable(processes) == nil else {
      Issue.record("a table without a namespace of its own")
      return
    }
  }
}
