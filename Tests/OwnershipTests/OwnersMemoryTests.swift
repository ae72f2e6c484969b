import Model
import Testing

@testable import Ownership
@testable import SystemRuntime

/// What the finder remembers, as values.
@Suite struct OwnersMemoryTests {
  private func description(_ pid: Int32) -> ProcessDescription {
    ProcessDescription(
      identity: ProcessIdentity(pid: pid, startTime: 1), uid: 0, executable: nil, arguments: [],
      commandLine: "p\(pid)")
  }

  @Test func `the ended that were asked for longest ago make room`() {
    var ended = EndedProcesses(limit: 3)
    for pid in Int32(1)...3 { ended.add(description(pid)) }
    #expect(ended.description(of: description(1).identity)?.commandLine == "p1")
    ended.add(description(4))
    #expect(ended.count == 3 && ended.forgotten == 1)
    #expect(ended.description(of: description(2).identity) == nil)
    #expect(ended.description(of: description(1).identity) != nil)
    for pid in Int32(10)..<1_000 {
      ended.add(description(pid))
      #expect(ended.description(of: description(1).identity) != nil)
    }
    #expect(ended.count == 3 && ended.forgotten == 991)
  }

  @Test func `no room is no memory`() {
    var ended = EndedProcesses(limit: 0)
    ended.add(description(1))
    #expect(ended.count == 0 && ended.forgotten == 1)
  }

  /// Command lines of a kilobyte, as text and as words.
  @Test func `long command lines of the ended make room earlier`() {
    func long(_ pid: Int32, _ length: Int = 512) -> ProcessDescription {
      var description = description(pid)
      description.commandLine = String(repeating: "x", count: length)
      description.arguments = [description.commandLine]
      return description
    }
    var ended = EndedProcesses(limit: 1_000, byteLimit: 4_096)
    for pid in Int32(1)...100 {
      ended.add(long(pid))
      #expect(ended.byteCount == ended.count * 1_024 && ended.count <= 4)
    }
    #expect(ended.count == 4 && ended.forgotten == 96)
    #expect(ended.description(of: long(97).identity) != nil)
    // Again, and shorter: its bytes count once.
    ended.add(long(98, 256))
    #expect(ended.count == 4 && ended.byteCount == 3_584)
    // What does not fit at all drives out nobody.
    ended.add(long(101, 4_096))
    #expect(ended.count == 4 && ended.forgotten == 97)
  }

  @Test func `a socket has the holders that were added and not removed`() {
    var holders = SocketHolders(limit: 2)
    let first = SocketHolders.Holder(pid: 1, number: 3)
    let second = SocketHolders.Holder(pid: 2, number: 3)
    holders.add(first, of: 7)
    holders.add(second, of: 7)
    holders.add(second, of: 7)
    holders.add(first, of: 0)
    #expect(holders.holders(of: 7) == [first, second])
    holders.remove(first, of: 7)
    holders.remove(first, of: 7)
    holders.remove(first, of: 99)
    #expect(holders.holders(of: 7) == [second])
    holders.add(first, of: 8)
    holders.add(first, of: 9)
    #expect(holders.count == 2 && holders.dropped == 1)
    holders.remove(second, of: 7)
    #expect(holders.holders(of: 7) == [] && holders.count == 1)
  }

  @Test func `processes are in the order of their starts and programs`() {
    var living = LivingProcesses()
    for pid in [Int32](1...5) { living.add(LivingProcess(pid: pid)) }
    living.renew(2)
    _ = living.remove(4)
    #expect(Array(living.newestFirst) == [2, 5, 3, 1])
    living.add(LivingProcess(pid: 4, parent: 1))
    #expect(Array(living.newestFirst) == [4, 2, 5, 3, 1])
    // Old places do not pile up.
    for _ in 0..<10_000 { living.renew(3) }
    #expect(Array(living.newestFirst) == [3, 4, 2, 5, 1])
    living.update(99) { $0.parent = 7 }
    #expect(living[99] == nil && living.count == 5)
  }

  @Test func `of a process that ends nothing is kept, and the last owners are known`() {
    var living = LivingProcesses()
    for pid in [Int32](1...20) {
      living.add(LivingProcess(pid: pid))
      living.noteOwner(pid)
      living.note(pid, isDenied: true)
    }
    living.noteOwner(10)
    #expect(living.recentOwners == [10] + (5...20).reversed().filter { $0 != 10 })
    living.note(20, isDenied: false)
    #expect(living.deniedCount == 19)
    for pid in [Int32](6...20) { _ = living.remove(pid) }
    #expect(living.recentOwners == [5] && living.deniedCount == 5)
  }

  @Test func `a new socket is expected at the lowest free number, or where the last was`() {
    var process = LivingProcess(pid: 1)
    #expect(process.likelyNumbers == [3, 4])
    process.descriptors = [0: 0, 1: 0, 2: 0, 3: 77, 5: 78]
    #expect(process.likelyNumbers == [4, 6])
    process.lastFound = 3
    #expect(process.likelyNumbers == [3, 4, 6])
    process.isUnread = true
    #expect(process.likelyNumbers == [3, 4])
  }

  @Test(
    arguments: [
      (0, 100), (50, 50), (100, 0), (150, 0), (250, 0),
    ] as [(Int, Int)])
  func `what was asked is not available again at once`(spent: Int, left: Int) {
    let start = Instant.now
    var allowance = SearchAllowance(capacity: 100, perSecond: 10, at: start)
    allowance.spend(spent)
    #expect(max(0, allowance.available(at: start)) == left)
    #expect(allowance.available(at: start + .seconds(60)) == 100)
    // A clock that goes back gives nothing.
    allowance.spend(100)
    #expect(allowance.available(at: start) == 0)
  }

  @Test(
    arguments: [
      ([(0, 0)], true), ([(0, 0), (29, 50)], true), ([(0, 0), (30, 50)], false), ([(70, 0), (99, 50)], true),
      ([(0, 0), (30, 50), (30, 99)], false), ([(0, 0), (30, 50), (30, 101)], true),
      ([(0, 0), (20, 99), (20, 100), (49, 120)], true), ([(0, 0), (20, 99), (20, 100), (50, 120)], false),
      // A window that was used up says no, however long the look back was.
      ([(0, 0), (110, 110)], false), ([(0, 0), (110, 110), (220, 220)], false), ([(0, 0), (30, 110)], true),
      ([(0, 0), (110, 110), (120, 300)], true), ([(0, 0), (299, 1000)], true),
      ([(0, 0), (300, 1000)], false),
    ] as [([(Int, Int)], Bool)])
  func `a thread comes first until its share is used`(looks: [(used: Int, at: Int)], expected: Bool) {
    let start = Instant.now
    var share = RealTimeShare()
    var answer = false
    for look in looks {
      answer = share.mayBeFirst(used: .milliseconds(look.used), at: start + .milliseconds(look.at))
    }
    #expect(answer == expected)
  }
}
