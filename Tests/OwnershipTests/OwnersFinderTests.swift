import Lab
import Model
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

/// Which process of a tree that looks like /proc has a socket, with process events made by hand.
@Suite struct OwnersFinderTests {
  private let proc = ProcessesFakeProc()
  private let start = Instant.now

  @Test func `a socket known since start is found, and nothing else`() throws {
    proc.add(10, sockets: [3: 501, 4: 502])
    proc.add(11, sockets: [7: 503])
    proc.link("11/fd/0", "pipe:[777]")
    var finder = try proc.finder(at: start)
    let held = finder.owner(ofInode: 503, uid: 1000)
    #expect(held?.owner == ProcessIdentity(11))
    #expect(held?.holders == [ProcessIdentity(11)])
    #expect(held?.isShared == false)
    #expect(finder.counters.remembered == 1)
    for inode in [UInt64(0), 777, 999] {
      #expect(finder.owner(ofInode: inode, uid: 1000) == nil)
      #expect(finder.owner(ofInode: inode, uid: 1000, at: start) { true } == nil)
    }
  }

  @Test func `a new process is found, wherever its pid stands`() throws {
    proc.add(30_000, start: 100, sockets: [3: 501])
    var finder = try proc.finder(at: start)
    // Pids wrapped: the new one has the smaller.
    proc.add(12, start: 900, sockets: [3: 502])
    #expect(finder.owner(ofInode: 502, uid: 1000) == nil)
    #expect(finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner == ProcessIdentity(12, 900))
    #expect(Array(finder.observed.living.newestFirst) == [12, 30_000])
  }

  @Test(arguments: [3, 4, 5, 77] as [Int32])
  func `a new socket of an old process is found under any number`(number: Int32) throws {
    proc.add(10, sockets: [3: 501])
    for pid in Int32(20)..<120 { proc.add(pid, start: 200, sockets: [3: UInt64(pid) + 1000]) }
    var finder = try proc.finder(at: start)
    proc.hold(10, number, 600)
    let near = finder.owner(ofInode: 600, uid: 1000)
    let held = near ?? finder.owner(ofInode: 600, uid: 1000, at: start) { true }
    #expect(held?.owner == ProcessIdentity(10))
    // And from memory from now on.
    #expect(finder.owner(ofInode: 600, uid: 1000)?.owner == ProcessIdentity(10))
    #expect(finder.counters.remembered == 1)
  }

  @Test(arguments: [4, 5, 77, nil] as [Int32?])
  func `what was accepted is looked for where it was listened for, and no further at once`(number: Int32?)
    throws
  {
    proc.add(10, sockets: [3: 501])
    for pid in Int32(20)..<120 { proc.add(pid, start: 200, sockets: [3: UInt64(pid) + 1000]) }
    var finder = try proc.finder(at: start)
    if let number { proc.hold(10, number, 600) }
    let before = finder.looks
    let held = finder.owner(ofInode: 600, uid: 1000, acceptedBy: 501)
    #expect(held?.owner == number.map { _ in ProcessIdentity(10) })
    #expect(finder.looks - before < 32)
  }

  @Test(arguments: [20, 33, 59] as [Int32], [4, 77] as [Int32])
  func `of many who hold a listener each is looked at, who accepted last first`(
    pid: Int32, number: Int32
  ) throws {
    let proc = ProcessesFakeProc(in: "/dev/shm")
    proc.add(10, sockets: [3: 501])
    for worker in Int32(20)..<60 { proc.add(worker, start: 200, parent: 10, sockets: [3: 501]) }
    for other in Int32(100)..<150 { proc.add(other, start: 300, sockets: [3: UInt64(other) + 1000]) }
    var finder = try OwnerFinder(root: proc.path, usesEvents: false, limits: OwnerFinder.Limits(), at: start)
    proc.hold(pid, number, 600)
    #expect(finder.owner(ofInode: 600, uid: 1000, acceptedBy: 501)?.owner == ProcessIdentity(pid, 200))
    #expect(finder.search.servers(holding: 501, in: &finder.observed).first == pid)
    #expect(finder.search.servers(holding: 501, in: &finder.observed).count == 41)
    proc.hold(pid, number + 1, 601)
    let before = finder.looks
    #expect(finder.owner(ofInode: 601, uid: 1000, acceptedBy: 501)?.owner == ProcessIdentity(pid, 200))
    // The holders of the listener, and the first of them.
    #expect(finder.looks - before < 41 + 10)
  }

  @Test func `of two hundred who hold a listener the one that became known last is found`() throws {
    let proc = ProcessesFakeProc(in: "/dev/shm")
    proc.add(10, sockets: [3: 501])
    for worker in Int32(20)..<220 { proc.add(worker, start: 200, parent: 10, sockets: [3: 501]) }
    var finder = try OwnerFinder(root: proc.path, usesEvents: false, limits: OwnerFinder.Limits(), at: start)
    let last = try #require(finder.observed.sockets.holders(of: 501).last).pid
    proc.hold(last, 77, 600)
    #expect(finder.owner(ofInode: 600, uid: 1000, acceptedBy: 501)?.owner.pid == last)
    #expect(finder.search.servers(holding: 501, in: &finder.observed).first == last)
  }

  @Test func `a child that accepts for its parent is found, and one that nobody knows to listen`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, start: 200, sockets: [3: 501, 4: 600])
    var finder = try proc.finder(at: start)
    #expect(finder.owner(ofInode: 600, uid: 1000, acceptedBy: 501)?.owner == ProcessIdentity(11, 200))
    proc.hold(11, 5, 601)
    #expect(finder.owner(ofInode: 601, uid: 1000, acceptedBy: 999)?.owner == ProcessIdentity(11, 200))
  }

  @Test func `what was remembered is looked at before it is believed`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, sockets: [4: 502])
    var finder = try proc.finder(at: start)
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10))
    proc.close(10, 3)
    #expect(finder.owner(ofInode: 501, uid: 1000) == nil)
    proc.hold(11, 5, 501)
    let handed = finder.owner(ofInode: 501, uid: 1000)
    #expect(handed?.owner == ProcessIdentity(11))
  }

  @Test func `a child that inherits a socket shares it, and its parent is the owner`() throws {
    proc.add(10, start: 100, sockets: [5: 501])
    var finder = try proc.finder(at: start)
    proc.add(11, start: 200, parent: 10, sockets: [5: 501])
    finder.take(.fork(parent: 10, child: 11))
    let held = finder.owner(ofInode: 501, uid: 1000)
    #expect(held?.owner == ProcessIdentity(10, 100))
    #expect(held?.holders == [ProcessIdentity(10, 100), ProcessIdentity(11, 200)])
    #expect(held?.isShared == true)
    // The parent closes it: what is left is the child's alone.
    proc.close(10, 5)
    let left = finder.owner(ofInode: 501, uid: 1000)
    #expect(left?.holders == [ProcessIdentity(11, 200)])
    #expect(left?.isShared == false)
  }

  @Test func `a child's find leads to the ancestors that hold the same`() throws {
    proc.add(10, start: 100)
    proc.add(11, start: 200, parent: 10)
    var finder = try proc.finder(at: start)
    proc.hold(10, 9, 600)
    proc.hold(11, 9, 600)
    proc.add(12, start: 300, parent: 11, sockets: [9: 600])
    finder.take(.fork(parent: 11, child: 12))
    let held = finder.owner(ofInode: 600, uid: 1000)
    #expect(held?.owner == ProcessIdentity(10, 100))
    #expect(held?.holders.map(\.pid) == [10, 11, 12])
  }
}

extension ProcessesFakeProc {
  /// A finder that reads this tree; process events are made by hand.
  func finder(
    at start: Instant, limits change: (inout OwnerFinder.Limits) -> Void = { _ in }
  ) throws -> OwnerFinder {
    var limits = OwnerFinder.Limits()
    change(&limits)
    return try OwnerFinder(root: path, usesEvents: false, limits: limits, at: start)
  }
}

extension ProcessIdentity {
  /// A process of such a tree.
  init(_ pid: Int32, _ start: UInt64 = 100) { self.init(pid: pid, startTime: start) }
}
