import Glibc
import KernelLab
import Lab
import Model
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

/// How far the finder searches for a socket, whom it looks at first, and what it leaves out.
@Suite struct OwnersSearchTests {
  private let proc = ProcessesFakeProc()
  private let start = Instant.now

  @Test func `a search through all is bounded, and the bound is paid back with time`() throws {
    for pid in Int32(10)..<60 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var finder = try proc.finder(at: start) {
      $0.looks = 20; $0.looksPerSecond = 10
    }
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
    var finder = try proc.finder(at: start) {
      $0.looks = 1_000; $0.looksPerSecond = 1
    }
    // What was not read to its end may have more: a folder that is no procfs tells of no change.
    proc.hold(10, 5, 502)
    #expect(finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner == ProcessIdentity(10))
    // This one is newer, and reading it takes more than may be asked.
    for number in Int32(4)...4_200 { proc.hold(20, number, UInt64(600 + number)) }
    proc.hold(10, 90, 501)
    #expect(finder.owner(ofInode: 501, uid: 1000, at: start) { true }?.owner == ProcessIdentity(10))
    #expect(finder.counters.cutShort == 0)
  }

  @Test(
    .needs(.root),
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
    var finder = try proc.finder(at: start) {
      $0.looks = 8_000; $0.looksPerSecond = 1
    }
    // A number that was closed and given again, or another one.
    proc.hold(20, number, inode)
    #expect(
      finder.owner(ofInode: inode, uid: geteuid(), at: start) { true }?.owner == ProcessIdentity(20, 200))
  }

  @Test func `where nobody reports processes, listing them is within the bound too`() throws {
    for pid in Int32(10)..<60 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var finder = try proc.finder(at: start) {
      $0.looks = 20; $0.looksPerSecond = 10
    }
    #expect(finder.owner(ofInode: 999, uid: 1000, at: start) { true } == nil)
    proc.add(99, start: 300, sockets: [3: 501])
    let spent = finder.looks
    #expect(finder.owner(ofInode: 501, uid: 1000, at: start) { true } == nil)
    #expect(finder.looks == spent && finder.observed.living[99] == nil)
    #expect(finder.counters.cutShort == 2)
    // What the list costs is part of what is spent.
    #expect(
      finder.owner(ofInode: 501, uid: 1000, at: start + .seconds(60)) { true }?.owner
        == ProcessIdentity(99, 300))
    #expect(finder.looks - spent > 50 / 4)
  }

  @Test func `a search ends when it is not worthwhile any more`() throws {
    for pid in Int32(10)..<200 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var finder = try proc.finder(at: start)
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
    var finder = try proc.finder(at: start)
    proc.add(12, start: 300, sockets: [3: 501])
    status(12, 12)
    // A thread of it, which shares its descriptors.
    proc.add(13, start: 301, sockets: [3: 501])
    status(13, 12)
    // One that is not among the numbers reported is not looked for.
    proc.add(14, start: 302, sockets: [3: 502])
    status(14, 14)
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 13\n".utf8))
    #expect(finder.owner(ofInode: 501, uid: 1000)?.holders == [ProcessIdentity(12, 300)])
    #expect(Set(finder.observed.living.pids) == [10, 12])
    #expect(finder.owner(ofInode: 502, uid: 1000) == nil)
    // The numbers have wrapped: all are listed, when there is time.
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 4\n".utf8))
    #expect(finder.owner(ofInode: 502, uid: 1000) == nil)
    #expect(finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner == ProcessIdentity(14, 302))
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
    var finder = try proc.finder(at: start)
    proc.add(pid, start: 300, sockets: [3: 501])
    proc.write("\(pid)/status", Array("Tgid:\t\(pid)\nUid:\t0\t0\t0\t0\n".utf8))
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 \(last)\n".utf8))
    let owner = ProcessIdentity(pid, 300)
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
    var finder = try proc.finder(at: start)
    proc.end(20)
    proc.add(20, start: 700, sockets: [7: 501])
    proc.write("20/status", Array("Tgid:\t20\nUid:\t0\t0\t0\t0\n".utf8))
    proc.write("loadavg", Array("0.1 0.2 0.3 1/99 30\n".utf8))
    #expect(finder.owner(ofInode: 501, uid: 1000)?.holders == [ProcessIdentity(20, 700)])
    #expect(Array(finder.observed.living.newestFirst).first == 20)
  }

  @Test(.needs(.root))
  func `processes that may not be read are counted while that is so`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, sockets: [3: 502])
    var denied: [Int] = []
    unsafe chmod("\(proc.path)/11/fd", 0)
    try ProcessesPrivileges.asNobody {
      var finder = try proc.finder(at: start)
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
    let finder = try proc.finder(at: start) { $0.sockets = 2 }
    #expect(finder.observed.sockets.count == 2)
    #expect(finder.dropped == 1)
  }
}
