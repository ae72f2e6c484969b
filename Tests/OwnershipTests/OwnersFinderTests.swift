import Glibc
import SystemRuntime
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// The finder over a tree that looks like /proc, with process events made by hand.
@Suite struct OwnersFinderTests {
  private let proc = ProcessesFakeProc()
  private let start = Instant.now

  private func finder(_ limits: OwnerFinder.Limits = OwnerFinder.Limits()) throws -> OwnerFinder {
    try OwnerFinder(root: proc.path, usesEvents: false, limits: limits, at: start)
  }

  private func identity(_ pid: Int32, _ start: UInt64 = 100) -> ProcessIdentity {
    ProcessIdentity(pid: pid, startTime: start)
  }

  @Test func `a socket known since start is found, and nothing else`() throws {
    proc.add(10, sockets: [3: 501, 4: 502])
    proc.add(11, sockets: [7: 503])
    proc.link("11/fd/0", "pipe:[777]")
    var finder = try finder()
    let held = finder.owner(ofInode: 503, uid: 1000)
    #expect(held?.owner == identity(11))
    #expect(held?.holders == [identity(11)])
    #expect(held?.isShared == false)
    #expect(finder.counters.remembered == 1)
    for inode in [UInt64(0), 777, 999] {
      #expect(finder.owner(ofInode: inode, uid: 1000) == nil)
      #expect(finder.owner(ofInode: inode, uid: 1000, at: start) { true } == nil)
    }
  }

  @Test func `a new process is found, wherever its pid stands`() throws {
    proc.add(30_000, start: 100, sockets: [3: 501])
    var finder = try finder()
    // Pids wrapped: the new one has the smaller.
    proc.add(12, start: 900, sockets: [3: 502])
    #expect(finder.owner(ofInode: 502, uid: 1000) == nil)
    #expect(finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner == identity(12, 900))
    #expect(Array(finder.observed.living.newestFirst) == [12, 30_000])
  }

  @Test(arguments: [3, 4, 5, 77] as [Int32])
  func `a new socket of an old process is found under any number`(number: Int32) throws {
    proc.add(10, sockets: [3: 501])
    for pid in Int32(20)..<120 { proc.add(pid, start: 200, sockets: [3: UInt64(pid) + 1000]) }
    var finder = try finder()
    proc.hold(10, number, 600)
    let near = finder.owner(ofInode: 600, uid: 1000)
    let held = near ?? finder.owner(ofInode: 600, uid: 1000, at: start) { true }
    #expect(held?.owner == identity(10))
    // And from memory from now on.
    #expect(finder.owner(ofInode: 600, uid: 1000)?.owner == identity(10))
    #expect(finder.counters.remembered == 1)
  }

  @Test(arguments: [4, 5, 77, nil] as [Int32?])
  func `what was accepted is looked for where it was listened for, and no further at once`(number: Int32?)
    throws
  {
    proc.add(10, sockets: [3: 501])
    for pid in Int32(20)..<120 { proc.add(pid, start: 200, sockets: [3: UInt64(pid) + 1000]) }
    var finder = try finder()
    if let number { proc.hold(10, number, 600) }
    let before = finder.looks
    let held = finder.owner(ofInode: 600, uid: 1000, acceptedBy: 501)
    #expect(held?.owner == number.map { _ in identity(10) })
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
    #expect(finder.owner(ofInode: 600, uid: 1000, acceptedBy: 501)?.owner == identity(pid, 200))
    #expect(finder.search.servers(holding: 501, in: &finder.observed).first == pid)
    #expect(finder.search.servers(holding: 501, in: &finder.observed).count == 41)
    proc.hold(pid, number + 1, 601)
    let before = finder.looks
    #expect(finder.owner(ofInode: 601, uid: 1000, acceptedBy: 501)?.owner == identity(pid, 200))
    // The holders of the listener, and the first of them.
    #expect(finder.looks - before < 41 + 10)
  }

  @Test func `a child that accepts for its parent is found, and one that nobody knows to listen`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, start: 200, sockets: [3: 501, 4: 600])
    var finder = try finder()
    #expect(finder.owner(ofInode: 600, uid: 1000, acceptedBy: 501)?.owner == identity(11, 200))
    proc.hold(11, 5, 601)
    #expect(finder.owner(ofInode: 601, uid: 1000, acceptedBy: 999)?.owner == identity(11, 200))
  }

  @Test func `what was remembered is looked at before it is believed`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, sockets: [4: 502])
    var finder = try finder()
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10))
    proc.close(10, 3)
    #expect(finder.owner(ofInode: 501, uid: 1000) == nil)
    proc.hold(11, 5, 501)
    let handed = finder.owner(ofInode: 501, uid: 1000)
    #expect(handed?.owner == identity(11))
  }

  @Test func `a pid that another process has got is another identity`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    var finder = try finder()
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10, 100))
    #expect(finder.description(of: identity(10, 100))?.commandLine == "prog -x")
    proc.end(10)
    proc.add(10, start: 700, arguments: Array("other\0".utf8), sockets: [3: 502])
    finder.take(.exit(10))
    finder.take(.fork(parent: 1, child: 10))
    #expect(finder.owner(ofInode: 502, uid: 1000)?.owner == identity(10, 700))
    #expect(finder.description(of: identity(10, 700))?.commandLine == "other")
    // The former keeps its name.
    #expect(finder.description(of: identity(10, 100))?.commandLine == "prog -x")
  }

  @Test func `a pid that was reused without an event is noticed`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    var finder = try finder(limits { $0.folders = 0 })
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10, 100))
    proc.end(10)
    // It even has the same socket under the same number.
    proc.add(10, start: 700, sockets: [3: 501])
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10, 700))
  }

  @Test func `a thread that has got the pid of a process that ended is no process`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    proc.add(20, start: 200)
    var finder = try finder(limits { $0.folders = 0 })
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10, 100))
    proc.end(10)
    // It shares its process's descriptors.
    proc.hold(20, 3, 502)
    proc.add(10, start: 700, sockets: [3: 502])
    proc.write("10/status", Array("Name:\tprog\nTgid:\t20\nUid:\t0\t0\t0\t0\n".utf8))
    var owner: ProcessIdentity?
    for _ in 0..<3 where owner == nil {
      owner = finder.owner(ofInode: 502, uid: 1000)?.owner
      owner = owner ?? finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner
    }
    #expect(owner == identity(20, 200))
  }

  private func limits(_ change: (inout OwnerFinder.Limits) -> Void) -> OwnerFinder.Limits {
    var limits = OwnerFinder.Limits()
    change(&limits)
    return limits
  }

  @Test func `a child that inherits a socket shares it, and its parent is the owner`() throws {
    proc.add(10, start: 100, sockets: [5: 501])
    var finder = try finder()
    proc.add(11, start: 200, parent: 10, sockets: [5: 501])
    finder.take(.fork(parent: 10, child: 11))
    let held = finder.owner(ofInode: 501, uid: 1000)
    #expect(held?.owner == identity(10, 100))
    #expect(held?.holders == [identity(10, 100), identity(11, 200)])
    #expect(held?.isShared == true)
    // The parent closes it: what is left is the child's alone.
    proc.close(10, 5)
    let left = finder.owner(ofInode: 501, uid: 1000)
    #expect(left?.holders == [identity(11, 200)])
    #expect(left?.isShared == false)
  }

  @Test func `a child's find leads to the ancestors that hold the same`() throws {
    proc.add(10, start: 100)
    proc.add(11, start: 200, parent: 10)
    var finder = try finder()
    proc.hold(10, 9, 600)
    proc.hold(11, 9, 600)
    proc.add(12, start: 300, parent: 11, sockets: [9: 600])
    finder.take(.fork(parent: 11, child: 12))
    let held = finder.owner(ofInode: 600, uid: 1000)
    #expect(held?.owner == identity(10, 100))
    #expect(held?.holders.map(\.pid) == [10, 11, 12])
  }

  @Test func `a search through all is bounded, and the bound is paid back with time`() throws {
    for pid in Int32(10)..<60 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var finder = try finder(
      limits {
        $0.looks = 20; $0.looksPerSecond = 10
      })
    let before = finder.looks
    #expect(finder.owner(ofInode: 999, uid: 1000, at: start) { true } == nil)
    // One process too many at the most, and the list of /proc.
    #expect(finder.looks - before < 40)
    #expect(finder.counters.cutShort == 1)
    let spent = finder.looks
    #expect(finder.owner(ofInode: 999, uid: 1000, at: start) { true } == nil)
    #expect(finder.looks - spent < 10)
    let rested = finder.looks
    #expect(finder.owner(ofInode: 999, uid: 1000, at: start + .seconds(60)) { true } == nil)
    #expect(finder.looks - rested >= 20)
  }

  @Test func `a process with very many descriptors does not hide another's`() throws {
    proc.add(10, sockets: [3: 500])
    proc.add(20, start: 200, sockets: [3: 600])
    var finder = try finder(
      limits {
        $0.looks = 1_000; $0.looksPerSecond = 1
      })
    // What was not read to its end may have more: a folder that is no procfs tells of no change.
    proc.hold(10, 5, 502)
    #expect(finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner == identity(10))
    // This one is newer, and reading it takes more than may be asked.
    for number in Int32(4)...4_200 { proc.hold(20, number, UInt64(600 + number)) }
    proc.hold(10, 90, 501)
    #expect(finder.owner(ofInode: 501, uid: 1000, at: start) { true }?.owner == identity(10))
    #expect(finder.counters.cutShort == 0)
  }

  @Test(
    .enabled(if: ProcessesPrivileges.isRoot),
    arguments: [(60, 900), (4_201, 900), (4_200, 7_000)] as [(Int32, UInt64)])
  func `a socket of a process with very many descriptors is found`(number: Int32, inode: UInt64) throws {
    proc.add(20, start: 200)
    for number in Int32(3)...4_200 { proc.hold(20, number, UInt64(600 + number)) }
    // Of another user, and more to read than may be asked.
    for pid in Int32(30)..<34 {
      proc.add(pid)
      for number in Int32(3)...2_000 { proc.hold(pid, number, 1) }
      #expect(unsafe chown("\(proc.path)/\(pid)/fd", 1001, 1001) == 0)
    }
    var finder = try finder(
      limits {
        $0.looks = 8_000; $0.looksPerSecond = 1
      })
    // A number that was closed and given again, or another one.
    proc.hold(20, number, inode)
    #expect(finder.owner(ofInode: inode, uid: geteuid(), at: start) { true }?.owner == identity(20, 200))
  }

  @Test func `where nobody reports processes, listing them is within the bound too`() throws {
    for pid in Int32(10)..<60 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var finder = try finder(
      limits {
        $0.looks = 20; $0.looksPerSecond = 10
      })
    #expect(finder.owner(ofInode: 999, uid: 1000, at: start) { true } == nil)
    proc.add(99, start: 300, sockets: [3: 501])
    let spent = finder.looks
    #expect(finder.owner(ofInode: 501, uid: 1000, at: start) { true } == nil)
    #expect(finder.looks == spent && finder.observed.living[99] == nil)
    #expect(finder.counters.cutShort == 2)
    // What the list costs is part of what is spent.
    #expect(
      finder.owner(ofInode: 501, uid: 1000, at: start + .seconds(60)) { true }?.owner == identity(99, 300))
    #expect(finder.looks - spent > 50 / 4)
  }

  @Test func `a search ends when it is not worthwhile any more`() throws {
    for pid in Int32(10)..<200 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var finder = try finder()
    var questions = 0
    let before = finder.looks
    let held = finder.owner(ofInode: 999, uid: 1000, at: start) {
      questions += 1
      return questions < 2
    }
    #expect(held == nil && questions == 2)
    #expect(finder.looks - before < 200)
    #expect(finder.counters.cutShort == 0)
  }

  @Test func `where nobody reports them, new processes are those with the last numbers`() throws {
    func status(_ pid: Int32, _ leader: Int32) {
      proc.write("\(pid)/status", Array("Name:\tprog\nTgid:\t\(leader)\nUid:\t0\t0\t0\t0\n".utf8))
    }
    proc.add(10)
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 10\n".utf8))
    var finder = try finder()
    proc.add(12, start: 300, sockets: [3: 501])
    status(12, 12)
    // A thread of it, which shares its descriptors.
    proc.add(13, start: 301, sockets: [3: 501])
    status(13, 12)
    // One that is not among the numbers reported is not looked for.
    proc.add(14, start: 302, sockets: [3: 502])
    status(14, 14)
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 13\n".utf8))
    #expect(finder.owner(ofInode: 501, uid: 1000)?.holders == [identity(12, 300)])
    #expect(Set(finder.observed.living.pids) == [10, 12])
    #expect(finder.owner(ofInode: 502, uid: 1000) == nil)
    // The numbers have wrapped: all are listed, when there is time.
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 4\n".utf8))
    #expect(finder.owner(ofInode: 502, uid: 1000) == nil)
    #expect(finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner == identity(14, 302))
  }

  /// From the number reported before to that reported now, of one that started and has a socket.
  @Test(
    arguments: [
      (10, 12, 12, true), (10, 5_000, 4_990, true), (10, 5_000, 4_937, true), (10, 5_000, 4_936, false),
      (9_000, 30, 20, true), (9_000, 30, 1, true), (9_000, 30, 9_001, false), (10, 10, 12, false),
    ] as [(Int32, Int32, Int32, Bool)])
  func `of very many new processes the last are looked at at once`(
    before: Int32, last: Int32, pid: Int32, isFound: Bool
  ) throws {
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 \(before)\n".utf8))
    var finder = try finder()
    proc.add(pid, start: 300, sockets: [3: 501])
    proc.write("\(pid)/status", Array("Tgid:\t\(pid)\nUid:\t0\t0\t0\t0\n".utf8))
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 \(last)\n".utf8))
    let owner = identity(pid, 300)
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == (isFound ? owner : nil))
    #expect(finder.owner(ofInode: 501, uid: 1000, at: start) { true }?.owner == owner)
  }

  @Test
  func `a number that was given again is the newest process's, also without an event of the end before`()
    throws
  {
    proc.add(20, start: 100, sockets: [3: 500])
    for pid in Int32(100)..<200 { proc.add(pid, start: 200, sockets: [3: UInt64(pid) + 1000]) }
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 9000\n".utf8))
    var finder = try finder()
    proc.end(20)
    proc.add(20, start: 700, sockets: [7: 501])
    proc.write("20/status", Array("Tgid:\t20\nUid:\t0\t0\t0\t0\n".utf8))
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 30\n".utf8))
    #expect(finder.owner(ofInode: 501, uid: 1000)?.holders == [identity(20, 700)])
    #expect(Array(finder.observed.living.newestFirst).first == 20)
  }

  @Test(
    arguments: [
      ("Name:\ta\nTgid:\t12\nNgid:\t0\n", 12), ("Tgid:\t1", 1), ("Name:\tTgid:\n", nil), ("", nil),
      ("Tgid:\tx\n", nil),
    ] as [(String, Int32?)])
  func `the process of a thread`(text: String, leader: Int32?) {
    #expect(ProcessStatus.leader(Array(text.utf8)[...]) == leader)
  }

  @Test func `another program has another name, and the same identity`() throws {
    proc.add(10, sockets: [3: 501])
    var finder = try finder()
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10))
    proc.write("10/cmdline", Array("next\0".utf8))
    finder.take(.exec(10))
    #expect(finder.handleProcessEvents() == false)
    #expect(finder.description(of: identity(10))?.commandLine == "next")
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10))
    // Said once, so that whoever remembers its old name reads it again.
    #expect(finder.takeRenamed() == [identity(10)])
    #expect(finder.takeRenamed() == [])
  }

  @Test func `where a process runs is read when there is time, and kept`() throws {
    proc.add(10, sockets: [3: 501])
    proc.write("10/cgroup", Array("0::/system.slice/web.service\n".utf8))
    var finder = try finder()
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10))
    #expect(finder.description(of: identity(10))?.place == ProcessPlace())
    #expect(finder.readPlaces().map(\.place.unit) == ["web.service"])
    #expect(finder.readPlaces().isEmpty)
    #expect(finder.description(of: identity(10))?.place.unit == "web.service")
    // What runs another program may have moved.
    proc.write("10/cgroup", Array("0::/system.slice/other.service\n".utf8))
    #expect(finder.description(of: identity(10))?.place.unit == "web.service")
    #expect(finder.readPlaces().isEmpty)
    proc.write("10/cmdline", Array("other\0".utf8))
    _ = finder.description(of: identity(10))
    #expect(finder.readPlaces().map(\.place.unit) == ["other.service"])
    finder.take(.exit(10))
    #expect(finder.readPlaces().isEmpty)
    #expect(finder.description(of: identity(10))?.place.unit == "other.service")
  }

  /// As its memory goes before its sockets, and its descriptors one by one.
  @Test
  func `without process events who runs something else has its name, and who is ending keeps its own`()
    throws
  {
    proc.add(10, name: Array("prog".utf8), executable: "/bin/prog", sockets: [3: 501])
    var finder = try finder()
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(10))
    #expect(finder.description(of: identity(10))?.commandLine == "prog -x")
    proc.write("10/cmdline", Array("next\0-y\0".utf8))
    proc.link("10/exe", "/bin/next")
    let next = finder.description(of: identity(10))
    #expect(
      next?.commandLine == "next -y" && next?.executable == "/bin/next" && next?.arguments == ["next", "-y"])
    proc.write("10/cmdline", [])
    #expect(finder.description(of: identity(10)) == next)
    proc.end(10)
    #expect(finder.description(of: identity(10)) == next)
  }

  @Test func `a program is read with its place`() throws {
    proc.add(10)
    proc.write("10/cgroup", Array("0::/system.slice/web.service\n".utf8))
    var finder = try finder()
    finder.take(.exec(10))
    #expect(finder.handleProcessEvents() == false)
    #expect(finder.observed.living[10]?.description?.place.unit == "web.service")
  }

  @Test func `programs are read a few at a time, so that a flow need not wait`() throws {
    for pid in Int32(10)..<15 { proc.add(pid) }
    var finder = try finder()
    for pid in Int32(10)..<15 { finder.take(.exec(pid)) }
    #expect(finder.handleProcessEvents(limit: 2) == true)
    #expect(finder.programs.unread.count == 3)
    #expect(finder.handleProcessEvents(limit: 3) == false)
    #expect(finder.takeRenamed() == (10..<15).reversed().map { identity($0) })
  }

  @Test func `one that dies before it is read has what its parent ran`() throws {
    proc.add(10, arguments: Array("parent\0".utf8), sockets: [3: 400])
    var finder = try finder()
    #expect(finder.owner(ofInode: 400, uid: 1000)?.owner == identity(10))
    proc.add(11, start: 200, parent: 10, state: "Z", arguments: [], sockets: [3: 501])
    finder.take(.fork(parent: 10, child: 11))
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == identity(11, 200))
    #expect(finder.description(of: identity(11, 200))?.commandLine == "parent")
    finder.take(.exit(11))
    proc.end(11)
    #expect(finder.description(of: identity(11, 200))?.commandLine == "parent")
    #expect(finder.owner(ofInode: 501, uid: 1000) == nil)
  }

  @Test(.enabled(if: ProcessesPrivileges.isRoot))
  func `processes that may not be read are counted while that is so`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, sockets: [3: 502])
    var denied: [Int] = []
    unsafe chmod("\(proc.path)/11/fd", 0)
    try ProcessesPrivileges.asNobody {
      var finder = try finder()
      denied.append(finder.denied)
      #expect(finder.owner(ofInode: 502, uid: 1000, at: start) { true } == nil)
      denied.append(finder.denied)
      finder.take(.exit(11))
      denied.append(finder.denied)
    }
    unsafe chmod("\(proc.path)/11/fd", 0o755)
    #expect(denied == [1, 1, 0])
  }

  @Test func `sockets beyond the limit are counted`() throws {
    proc.add(10, sockets: [3: 501, 4: 502, 5: 503])
    let finder = try finder(limits { $0.sockets = 2 })
    #expect(finder.observed.sockets.count == 2)
    #expect(finder.dropped == 1)
  }
}
